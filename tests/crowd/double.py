"""The Copper double with a crowd of accounts, in a process of its own so that it does not use the bridge's core.

`python -m tests.crowd.double ACCOUNTS RECORDS SEED`, started by `tests.crowd.copper`, which says what to do: a JSON
object a line on standard input, a JSON value a line in answer.
"""

import asyncio
import gc
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from http import HTTPStatus
from random import Random
from typing import Any

from bridge.sandbox.copper import CopperDouble, DoubleAccount, Knobs
from bridge.sandbox.copper.entities import ENTITIES
from bridge.sandbox.copper.limits import MINUTE, most_in_any
from tests.crowd.copper import Edit, Polls, account_name, token_of

MADE = 1_700_000_000
"""When the oldest record was made, Unix seconds; each further one is a minute younger."""
CREATES = 5
"""One in so many edits is a new record; the others each touch another old one, so that every version is to be told."""
INDEX_LAG_S = 5.0
PAGES_S = 5.0
"""Calls of an entity that follow each other faster are pages of one poll; a busy one is polled no sooner than that."""
READ = 3
"""Polls after which an edit is published: a kill may cut the first, and the third tells that the second is done."""
DETAILS = "A record of ordinary size has some words in it. " * 6


class Crowd:
    """The accounts with their records, the people who edit them, and what was noticed of the calls."""

    def __init__(self, copper: CopperDouble, records: int, seed: int) -> None:
        self._copper = copper
        self._records = records
        self._order = [*copper.accounts]
        Random(seed).shuffle(self._order)  # noqa: S311 - chance from a seed
        self._edits: list[Edit] = []
        self._working: set[asyncio.Task[None]] = set()
        self._ids = {entity: self._load(entity) for entity in ENTITIES}

    def _load(self, entity: str) -> list[int]:
        """The same rows for everybody: ids count from the same number in every account, and stored records are shared.

        What people edit is a new record, as always.
        """
        first, *others = (self._copper.account(name) for name in self._order)
        stamps = [MADE + 60 * number for number in range(self._records)]
        ids = first.load(
            entity,
            [
                {"name": f"{entity} {at}", "details": DETAILS, "date_created": at, "date_modified": at + 30}
                for at in stamps
            ],
        )
        rows = first.records(entity)
        for account in others:
            account.store.load(entity, rows)
        return ids

    def edit(self, per_second: float, seconds: float) -> None:
        """Let people work for a while, evenly over all accounts and entities."""
        task = asyncio.create_task(self._edit(per_second, seconds))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _edit(self, per_second: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(round(per_second * seconds)):
            self._edits.append(self._edit_once(len(self._edits)))
            await asyncio.sleep(max(0.0, began + (number + 1) / per_second - loop.time()))

    def _edit_once(self, number: int) -> Edit:
        turn, place = divmod(number, len(self._order))
        entity = [*ENTITIES][(turn + place) % len(ENTITIES)]
        account, mark = self._copper.account(self._order[place]), f"edit {number}"
        if number % CREATES == 0:
            record = account.create(entity, {"name": mark, "details": mark})
        else:
            record = account.edit(entity, self._ids[entity][turn // len(ENTITIES)], {"details": mark})
        return Edit(account.name, entity, record["id"], mark, self._copper.clock())

    def edits(self) -> list[list[Any]]:
        """All that people did."""
        return [[*asdict(edit).values()] for edit in self._edits]

    def unread(self) -> int:
        """Edits after which their entity was not polled often enough."""
        after: dict[tuple[str, str], list[float]] = defaultdict(list)
        for call in self._copper.calls:
            if call.account is not None and call.path.endswith("/search"):
                after[call.account, call.path].append(call.at)
        plurals = {entity.name: f"/{entity.plural}/search" for entity in ENTITIES.values()}
        return sum(
            sum(at > edit.at + INDEX_LAG_S for at in after[edit.account, plurals[edit.entity]]) < READ
            for edit in self._edits
        )

    def calls(self) -> int:
        """How many there were."""
        return len(self._copper.calls)

    def most_in_any_minute(self) -> int:
        """Calls of any account in any 60 s."""
        moments: dict[str | None, list[float]] = defaultdict(list)
        for call in self._copper.calls:
            moments[call.account].append(call.at)
        return max((most_in_any(MINUTE, each) for each in moments.values()), default=0)

    def refused(self) -> int:
        """Calls answered 429."""
        return sum(call.status == HTTPStatus.TOO_MANY_REQUESTS for call in self._copper.calls)

    def polls(self, since: int, every: float) -> Mapping[str, Any]:
        """How punctual they were after so many calls. The pages of a poll follow each other: they are one."""
        gaps = [*self._gaps(since, min(every / 2, PAGES_S))]
        return asdict(Polls(len(gaps), [gap - every for gap in gaps]))

    def _gaps(self, since: int, least: float) -> Iterator[float]:
        """Seconds between the beginnings of successive polls of an entity of an account."""
        last: dict[tuple[str | None, str], float] = {}
        for call in self._copper.calls[since:]:
            which = (call.account, call.path)
            if call.path.endswith("/search") and call.at - last.get(which, float("-inf")) > least:
                if which in last:
                    yield call.at - last[which]
                last[which] = call.at


async def serve(accounts: int, records: int, seed: int) -> None:
    """Answer calls over HTTP and orders on standard input, until that ends."""
    names = [account_name(number) for number in range(accounts)]
    doubles = [DoubleAccount(name, f"key-{name}", f"ops@{name}.example", token_of(name)) for name in names]
    async with CopperDouble(doubles, knobs=Knobs(index_lag=INDEX_LAG_S), seed=seed) as copper:
        crowd = Crowd(copper, records, seed)
        gc.collect()
        gc.freeze()  # a collection that walks through a million records stops the double for seconds
        answer({"base_url": copper.base_url})
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            order = json.loads(line)
            work: Callable[..., Any] = getattr(crowd, order.pop("do"))
            answer(work(**order))


def answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
