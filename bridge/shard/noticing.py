"""Noticing: webhook notices out of the inbox, looked up at Copper, published from what Copper says.

A notice is a hint, never a fact: every id is read at Copper, and `policy.changes` decides from what is known. So
forged, doubled, late or reordered notices cannot make a false event; at worst they cost a call in their lane. Deletes
go out once, with the last known record, when Copper confirms that the record is gone. Called by the shard session.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.cursors import position_key
from bridge.contract.events import Fate
from bridge.contract.notices import Notice, read_notice
from bridge.contract.records import Incoming
from bridge.policy.changes import Reason, Sighting
from bridge.policy.outcomes import backoff
from bridge.policy.positions import Positions
from bridge.policy.sessions import SessionEnded
from bridge.policy.sightings import Lane, Record, Trouble, Via, Why
from bridge.shard.cursors import cursor_record, following_since
from bridge.shard.fates import lead_fates, merge_fate
from bridge.shard.ports import Copper, Draft, Intake, Ledger, Sink
from bridge.shard.publishing import Publishing
from bridge.shard.sweep_state import read_sweeps

AT_ONCE = 8
"""Notices looked up side by side."""

HOLD_ABOVE = 2000
RELEASE_BELOW = 500
LONGEST_PAUSE_SECONDS = 60.0
HOPELESS = frozenset({Why.FORBIDDEN, Why.FEATURE_DISABLED, Why.INVALID})
"""Answers that asking again will not better; the polls go on looking."""
LONGEST_WAIT_SECONDS = 30.0
"""Between two looks at what the search index cannot tell yet."""
REMEMBERED = 20_000
"""Look-ups that are remembered, lest doubled notices cost a call each."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Copper has the record no more; `fate` says what became of it, if that is known."""

    fate: Fate | None = None


class Unsettled:
    """A lead is gone, and the search index cannot tell yet whether it was converted."""


Found = Record | Gone | Unsettled | Trouble
"""What a look-up came to."""


class Noticing:
    """The flow for the inbox of one shard."""

    def __init__(
        self,
        coppers: Mapping[str, Copper],
        overlap: int,
        index_lag: float,
        ledger: Ledger,
        publishing: Publishing,
        intake: Intake,
        unexpected: Callable[[BaseException], None],
    ) -> None:
        """Seconds throughout; `unexpected` is told of an error of our own, which costs a notice and nothing else."""
        self._coppers = coppers
        self._overlap = overlap
        self._index_lag = index_lag
        self._ledger = ledger
        self._publishing = publishing
        self._intake = intake
        self._unexpected = unexpected
        self._topic = publishing.names.inbox
        self._positions = Positions.decode(publishing.memory.known.cursor(position_key(self._topic)))
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue()
        self._open = 0
        self._delivered = -1
        self._covered: OrderedDict[tuple[str, str, bool, int], int] = OrderedDict()
        """What was looked up -> the last offset that was here before the look: it says nothing newer."""
        self._unsettled: dict[int, float] = {}
        """Offset of a notice that waits for the index -> since when, Unix seconds."""

    def positions(self) -> dict[str, int]:
        """Where to begin."""
        return {self._topic: self._positions.next}

    def sinks(self) -> dict[str, Sink]:
        """Where inbox records go."""
        return {self._topic: self._deliver}

    async def run(self, stop: asyncio.Event) -> None:
        """Look notices up until asked to stop; those not yet looked up are delivered again next time."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(AT_ONCE)]
            await stop.wait()
            for worker in workers:
                worker.cancel()

    def _deliver(self, records: Sequence[Incoming]) -> None:
        for record in records:
            if self._positions.already_finished(record.position.offset):
                continue
            self._positions.deliver(record.position.offset)
            self._delivered = record.position.offset
            self._open += 1
            self._queue.put_nowait(record)
        if self._open > HOLD_ABOVE:
            self._intake.hold(self._topic, self._publishing.shard)

    async def _work(self) -> None:
        while True:
            record = await self._queue.get()
            if not await self._guarded(record):
                continue
            self._open -= 1
            if self._open < RELEASE_BELOW:
                self._intake.release(self._topic, self._publishing.shard)

    async def _guarded(self, record: Incoming) -> bool:
        """Work one notice off; False when it has to wait. A notice is a hint: no error over one stops the others."""
        try:
            return await self._notice(record)
        except (SessionEnded, sqlite3.Error):
            raise
        except Exception as problem:  # noqa: BLE001 - it would meet us again in every session to come
            self._unexpected(problem)
            await self._ledger.commit(lambda draft: self._finish(draft, record))
            return True

    async def _notice(self, record: Incoming) -> bool:
        notice = read_notice(record)
        copper = self._coppers.get(notice.account) if notice else None
        if notice is None or copper is None or notice.entity not in CATALOGUE.followed:
            await self._ledger.commit(lambda draft: self._finish(draft, record))
            return True
        left = [each for each in notice.ids if self._covered.get(_key(notice, each), -1) < record.position.offset]
        if not left:
            await self._ledger.commit(lambda draft: self._finish(draft, record))
        while left:
            asked, here = self._publishing.clock(), self._delivered
            seen = {record_id: await self._look(copper, notice, record_id) for record_id in left}
            await self._tell_converted(copper, seen)
            if any(isinstance(found, Unsettled) for found in seen.values()) and self._wait(record):
                return False
            left = await self._publish(record, notice, seen, asked)
            self._cover(notice, here, (each for each in seen if not isinstance(seen[each], Trouble)))
        self._unsettled.pop(record.position.offset, None)
        return True

    def _wait(self, record: Incoming) -> bool:
        """Look again later, while the index may still lag; False when that time is over."""
        now, offset = self._publishing.clock(), record.position.offset
        waited = now - self._unsettled.setdefault(offset, now)
        if waited >= self._index_lag:
            return False
        pause = min(LONGEST_WAIT_SECONDS, max(1.0, waited), self._index_lag - waited)
        asyncio.get_running_loop().call_later(pause, self._queue.put_nowait, record)
        return True

    def _cover(self, notice: Notice, here: int, ids: Iterable[int]) -> None:
        for record_id in ids:
            key = _key(notice, record_id)
            self._covered[key] = here
            self._covered.move_to_end(key)
        while len(self._covered) > REMEMBERED:
            self._covered.popitem(last=False)

    def _gone(self, notice: Notice) -> bool:
        """Whether the account is served no more: it was disconnected meanwhile, and nothing of it may be kept."""
        return notice.account not in self._coppers

    async def _look(self, copper: Copper, notice: Notice, record_id: int) -> Found:
        failures = 0
        while True:
            answer = await copper.get(notice.entity, record_id, Lane.CHECKS)
            if not isinstance(answer, Trouble) or answer.why in HOPELESS or self._gone(notice):
                return answer
            if answer.why is Why.NOT_FOUND:
                return Unsettled() if notice.entity == "lead" else Gone()
            failures += 1
            await asyncio.sleep(backoff(failures, LONGEST_PAUSE_SECONDS))

    async def _tell_converted(self, copper: Copper, seen: dict[int, Found]) -> None:
        """Find out which of the leads that are gone were converted, as far as the index can tell by now."""
        gone = [record_id for record_id, found in seen.items() if isinstance(found, Unsettled)]
        fates = await lead_fates(copper, gone, Lane.CHECKS) if gone else {}
        if not isinstance(fates, Trouble):
            seen.update({record_id: Gone(fate) for record_id, fate in fates.items()})

    async def _publish(self, record: Incoming, notice: Notice, seen: Mapping[int, Found], asked: float) -> list[int]:
        """Write what was found; gives the ids that have to be read again, and only without any is the notice done."""

        def write(draft: Draft) -> list[int]:
            judged = {} if self._gone(notice) else seen
            doubtful = [each for each, found in judged.items() if self._judge(draft, notice, each, found, asked)]
            if not doubtful:
                self._finish(draft, record)
            return doubtful

        return await self._ledger.commit(write)

    def _judge(self, draft: Draft, notice: Notice, record_id: int, found: Found, asked: float) -> bool:
        """Draft the event, if any; True when the answer was overtaken by what is known now."""
        publishing = self._publishing
        if isinstance(found, Gone | Unsettled):
            self._delete(draft, notice, record_id, found.fate if isinstance(found, Gone) else None)
            return False
        if isinstance(found, Trouble):
            return False
        sighting = Sighting(notice.account, notice.entity, found, Via.WEBHOOK, authoritative=True, asked_s=asked)
        since = following_since(publishing.memory.drafted, notice.account, notice.entity, asked) - self._overlap
        return publishing.sight(draft, sighting, since) is Reason.DOUBTFUL

    def _delete(self, draft: Draft, notice: Notice, record_id: int, fate: Fate | None) -> None:
        publishing, view = self._publishing, self._publishing.memory.drafted
        known = publishing.known(notice.account, notice.entity, record_id)
        if known is not None and read_sweeps(view, notice.account).held is not None:
            return  # deletes are held back: after the decision a sweep finds it missing
        happened_s = notice.happened_ms / 1000
        loser = known.record if known else None
        publishing.miss(
            draft,
            notice.account,
            notice.entity,
            record_id,
            Via.WEBHOOK,
            happened_s=happened_s,
            announced=notice.event == "deleted",
            fate=fate or merge_fate(view, notice.account, notice.entity, loser, since=happened_s),
        )

    def _finish(self, draft: Draft, record: Incoming) -> None:
        self._positions.finish(record.position.offset)
        publishing = self._publishing
        key = position_key(self._topic)
        draft.add(cursor_record(publishing.names, publishing.shard, key, self._positions.encode()))


def _key(notice: Notice, record_id: int) -> tuple[str, str, bool, int]:
    """What a look-up answers: it is only as a delete that the absence of a record never seen means something."""
    return notice.account, notice.entity, notice.event == "deleted", record_id
