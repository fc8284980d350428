"""Copper accounts as the shards see them: a call waits for the account's budget, goes out once, comes back as a value.

`bridge.app` opens one `CopperConnection` and makes a `CopperAccount` of it for every account, which satisfies
`bridge.shard.ports.Copper`. Decides nothing: what to do about a `Trouble` is for others. Repeats nothing but what was
refused because the account is paused (`gate`), which waits there until it can be asked.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, Self

from bridge.contract.commands import Command
from bridge.copper import calls, reference
from bridge.copper.budgeting import Allowance
from bridge.copper.calls import Call
from bridge.copper.entities import ENTITIES
from bridge.copper.gate import PAUSED, Gate
from bridge.copper.readings import viewer
from bridge.copper.transport import Received, Transport
from bridge.copper.turns import LATE_SECONDS, TOO_LATE, Turn, at_once
from bridge.copper.wire import Answer, Credentials, decipher, retry_after
from bridge.policy.matching import Named
from bridge.policy.refusals import REFUSALS
from bridge.policy.sightings import Ask, Lane, Page, Record, Trouble, Why
from bridge.policy.turns import COMMAND_LANES


@dataclass(frozen=True, slots=True)
class Observed:
    """A call that ended, for metrics. `outcome` is the HTTP status or, without one, a `Why`."""

    account: str
    method: str
    route: str
    outcome: str
    lane: Lane
    seconds: float
    """Without the wait for the budget."""


Observe = Callable[[Observed], None]


def _ignore(_observed: Observed) -> None:
    """Observe nothing."""


class Place(Protocol):
    """Room for what a call answers; its caller leaves it when it is done with that."""

    async def take(self) -> None:
        """Wait until there is some."""
        ...

    def leave(self) -> None:
        """Make room for others."""
        ...


class CopperConnection:
    """The way to Copper that all accounts share; an async context manager.

    Args:
        base_url: where the API is, such as https://api.copper.com/developer_api/v1.
        timeout: seconds that one call may take once its budget is granted.
        observe: told of every call that ended; must not raise.
        clock: Unix seconds, what deadlines of commands are compared with.
        turn: whose turn it is to use one of the connections. The wait for it is no part of `timeout`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        observe: Observe = _ignore,
        clock: Callable[[], float] = time.time,
        turn: Turn = at_once,
    ) -> None:
        self._transport = Transport(base_url, timeout=timeout, clock=clock)
        self._turn = turn
        self._observe = observe
        self._clock = clock

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    def account(
        self, name: str, credentials: Credentials | Callable[[], Credentials], budget: Allowance
    ) -> "CopperAccount":
        """An account by its name in the bridge; all who call for it must share its one budget.

        A function is asked for the credentials before every call: they may be replaced.
        """
        give = credentials if callable(credentials) else lambda: credentials
        return CopperAccount(
            name, give, budget, self._transport, observe=self._observe, clock=self._clock, turn=self._turn
        )


class CopperAccount:
    """One Copper account; satisfies `bridge.shard.ports.Copper`."""

    def __init__(
        self,
        name: str,
        credentials: Callable[[], Credentials],
        budget: Allowance,
        transport: Transport,
        *,
        observe: Observe,
        clock: Callable[[], float],
        turn: Turn = at_once,
    ) -> None:
        self.name = name
        self.gate = Gate(credentials, self._probe, budget, clock=clock)
        self._budget = budget
        self._transport = transport
        self._observe = observe
        self._clock = clock
        self._turn = turn
        self._ahead = 0.0
        """Seconds that Copper's clock is ahead of ours."""

    def take_over(self) -> None:
        """Somebody else may have called for this account until now: its budget begins empty."""
        self._budget.forfeit()

    def used(self) -> dict[Lane, int]:
        """Calls of the last minute by lane."""
        return self._budget.used()

    def waiting(self) -> dict[Lane, int]:
        """How many calls wait for the budget in each lane."""
        return self._budget.waiting()

    async def search(self, entity: str, ask: Ask, lane: Lane, place: Place | None = None) -> Page | Trouble:
        """One page of a scan; when the budget has granted the call, `place` is taken for it."""
        return await self._page(calls.search_page(entity, ask), lane, place)

    async def by_ids(self, entity: str, ids: Sequence[int], lane: Lane) -> Page | Trouble:
        """The records of at most 200 ids as the (lagging) search index knows them."""
        return await self._page(calls.by_ids(entity, ids), lane)

    async def get(self, entity: str, record_id: int, lane: Lane) -> Record | Trouble:
        """The record as Copper has it now; `NOT_FOUND` when it is gone."""
        record: Record | Trouble = await self.call(calls.get(entity, record_id), lane)
        return record

    async def find(self, entity: str, match: Mapping[str, Any], lane: Lane) -> Sequence[Record] | Trouble:
        """Records that an upsert's match names, as the (lagging) search index knows them."""
        records: Sequence[Record] | Trouble = await self.call(calls.matching(entity, match), lane)
        return records

    async def leads(self, ids: Sequence[int], lane: Lane) -> Sequence[Record] | Trouble:
        """The leads of at most 200 ids as the (lagging) search index knows them, converted ones too."""
        records: Sequence[Record] | Trouble = await self.call(calls.leads_by_ids(ids), lane)
        return records

    async def viewer(self, lane: Lane) -> str | Trouble:
        """Who asks: what this user may see decides what exists. Two calls."""
        user: Record | Trouble = await self.call(calls.user(), lane)
        if isinstance(user, Trouble):
            return user
        account: Record | Trouble = await self.call(calls.account(), lane)
        return account if isinstance(account, Trouble) else viewer(user, account)

    async def activities(self, parent: Mapping[str, Any], page: int, lane: Lane) -> Page | Trouble:
        """A page of at most 200 of the activities of a record, newest first."""
        return await self._page(calls.activities(parent, page), lane)

    def now(self) -> float:
        """Unix seconds by Copper's clock, as its latest answer told; by ours before the first."""
        return self._clock() + self._ahead

    async def reference(self, name: str, lane: Lane) -> Sequence[Named] | Trouble:
        """All rows of a list of reference data; a call for each page of users, one for any other list."""
        rows: dict[int, Named] = {}
        for page in count(1):
            asked = reference.call(name, page)
            answer, _ = await self._asked(asked, lane)
            if isinstance(answer, Trouble):
                return answer
            before = len(rows)
            rows |= {row.id: row for row in answer.value}
            if not reference.paged(name) or len(rows) == before or len(rows) >= (answer.total or math.inf):
                break
        return [*rows.values()]

    async def call(self, call: Call, lane: Lane) -> Any | Trouble:
        """Make any call of `calls` and give what its reading takes from the answer."""
        answer, _ = await self._asked(call, lane)
        return answer.value if isinstance(answer, Answer) else answer

    def soonest(self, ahead: int) -> float:
        """Seconds in which no call can be granted that so many others come before, whatever happens."""
        return self._budget.soonest(ahead)

    async def admit(self, lane: Lane, entity: str, *, deadline: float | None) -> bool:
        """Wait until the budget grants one call, to be made by `execute`; False when the deadline comes first."""
        remaining = None if deadline is None else deadline - self._clock()
        if remaining is not None and remaining <= self._budget.soonest(0):
            return False
        try:
            async with asyncio.timeout(remaining):
                await self._budget.grant(lane, ENTITIES[entity].path)
        except TimeoutError:
            return False
        return True

    async def execute(self, command: Command, *, deadline: float | None) -> Any | Trouble:
        """Carry out an admitted command in one call and give Copper's decoded answer.

        `deadline` is Unix seconds; past it nothing is sent and the answer is `EXPIRED`; `PAUSED` when the account is.
        Raises LookupError for an entity and action that the contract does not pair.
        """
        answer, _ = await self._answer(calls.of(command), COMMAND_LANES[command.lane], deadline)
        return answer.value if isinstance(answer, Answer) else answer

    async def _page(self, call: Call, lane: Lane, place: Place | None = None) -> Page | Trouble:
        answer, round_trip = await self._asked(call, lane, place)
        if isinstance(answer, Trouble):
            return answer
        if answer.date is None:
            return Trouble(Why.UNREADABLE, "Copper's answer has no Date header, so a scan cannot tell its time")
        # Copper evaluated the question after we sent it, and its Date is cut to the second: never later than the truth.
        return Page(tuple(answer.value), answer.total, math.floor(answer.date - round_trip))

    async def _asked(self, call: Call, lane: Lane, place: Place | None = None) -> tuple[Answer | Trouble, float]:
        """As `_answer`, once the budget grants the call; made again after a pause of the account that it met with."""
        while True:
            await self._budget.grant(lane, call.kind)
            if place is not None:
                await self._make_room(place)
            answer, round_trip = await self._answer(call, lane, None)
            if isinstance(answer, Answer) or answer.why is not Why.PAUSED:
                return answer, round_trip
            if place is not None:
                place.leave()

    async def _make_room(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await place.take()
        if loop.time() - began > LATE_SECONDS:
            self._budget.recount()

    async def _answer(self, call: Call, lane: Lane, deadline: float | None) -> tuple[Answer | Trouble, float]:
        """The answer of a call that the budget has granted, and the seconds of its round trip."""
        if self.gate.paused is not None:
            return PAUSED, 0.0
        credentials = self.gate.credentials()
        answer, round_trip = await self._exchanged(call, credentials, lane, deadline)
        if isinstance(answer, Trouble) and answer.why in REFUSALS:
            answer = await self.gate.judged(answer, credentials)
        return answer, round_trip

    async def _probe(self, credentials: Credentials) -> Trouble | None:
        """Whether credentials are good for anything at all: asks for the account itself."""
        await self._budget.grant_ahead(Lane.CHECKS)
        answer, _ = await self._exchanged(calls.account(), credentials, Lane.CHECKS, None)
        return answer if isinstance(answer, Trouble) else None

    async def _exchanged(
        self, call: Call, credentials: Credentials, lane: Lane, deadline: float | None
    ) -> tuple[Answer | Trouble, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        seconds = math.inf if deadline is None else max(0.0, deadline - self._clock())
        async with self._turn(lane, self.name, seconds) as ours:
            if loop.time() - began > LATE_SECONDS:
                self._budget.recount()
            received = await self._transport.exchange(call, credentials, deadline) if ours else TOO_LATE
        outcome = str(received.status) if isinstance(received, Received) else received.why.value
        self._observe(Observed(self.name, call.method, call.route, outcome, lane, loop.time() - began))
        if isinstance(received, Trouble):
            return received, 0.0
        answer = decipher(call, received.status, received.headers, received.body)
        if isinstance(answer, Trouble) and answer.why is Why.RATE_LIMITED:
            self._budget.penalize(retry_after(received.headers))
        if isinstance(answer, Answer) and answer.date is not None:
            self._ahead = answer.date - self._clock()
        return answer, received.round_trip
