"""Noticing: webhook notices out of the inbox, looked up at Copper, published from what Copper says.

A notice is a hint, never a fact: every id is read at Copper, and `policy.changes` decides from what is known. So
forged, doubled, late or reordered notices cannot make a false event; at worst they cost a call in their lane. Deletes
go out once, with the last known record, when Copper confirms that the record is gone. Called by the shard session.
"""

import asyncio
from collections.abc import Mapping, Sequence

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.notices import Notice, read_notice
from bridge.contract.records import Incoming
from bridge.policy.changes import Reason, Sighting
from bridge.policy.positions import Positions
from bridge.policy.sightings import Lane, Record, Trouble, Via, Why
from bridge.shard.cursors import cursor_record, following_since, position_key
from bridge.shard.ports import Copper, Draft, Intake, Ledger, Sink
from bridge.shard.publishing import Publishing

AT_ONCE = 8
"""Notices looked up side by side."""

HOLD_ABOVE = 2000
RELEASE_BELOW = 500
LONGEST_PAUSE_SECONDS = 60.0
HOPELESS = frozenset({Why.FORBIDDEN, Why.FEATURE_DISABLED, Why.INVALID})
"""Answers that asking again will not better; the polls go on looking."""


class Noticing:
    """The flow for the inbox of one shard."""

    def __init__(
        self,
        coppers: Mapping[str, Copper],
        overlap: int,
        ledger: Ledger,
        publishing: Publishing,
        intake: Intake,
    ) -> None:
        self._coppers = coppers
        self._overlap = overlap
        self._ledger = ledger
        self._publishing = publishing
        self._intake = intake
        self._topic = publishing.names.inbox
        self._positions = Positions.decode(publishing.memory.known.cursor(position_key(self._topic)))
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue()
        self._open = 0

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
            self._open += 1
            self._queue.put_nowait(record)
        if self._open > HOLD_ABOVE:
            self._intake.hold(self._topic, self._publishing.shard)

    async def _work(self) -> None:
        while True:
            record = await self._queue.get()
            await self._notice(record)
            self._open -= 1
            if self._open < RELEASE_BELOW:
                self._intake.release(self._topic, self._publishing.shard)

    async def _notice(self, record: Incoming) -> None:
        notice = read_notice(record)
        copper = self._coppers.get(notice.account) if notice else None
        followed = {entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity)}
        if notice is None or copper is None or notice.entity not in followed:
            await self._ledger.commit(lambda draft: self._finish(draft, record))
            return
        left = list(notice.ids)
        while left:
            asked = self._publishing.clock()
            seen = [(record_id, await self._look(copper, notice.entity, record_id)) for record_id in left]
            left = await self._publish(record, notice, seen, asked)

    async def _look(self, copper: Copper, entity: str, record_id: int) -> Record | Trouble:
        failures = 0
        while True:
            answer = await copper.get(entity, record_id, Lane.CHECKS)
            if not isinstance(answer, Trouble) or answer.why is Why.NOT_FOUND or answer.why in HOPELESS:
                return answer
            failures += 1
            await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, 2.0**failures))

    async def _publish(
        self, record: Incoming, notice: Notice, seen: Sequence[tuple[int, Record | Trouble]], asked: float
    ) -> list[int]:
        """Write what was found; gives the ids that have to be read again, and only without any is the notice done."""

        def write(draft: Draft) -> list[int]:
            doubtful = [record_id for record_id, found in seen if self._judge(draft, notice, record_id, found, asked)]
            if not doubtful:
                self._finish(draft, record)
            return doubtful

        return await self._ledger.commit(write)

    def _judge(self, draft: Draft, notice: Notice, record_id: int, found: Record | Trouble, asked: float) -> bool:
        """Draft the event, if any; True when the answer was overtaken by what is known now."""
        publishing = self._publishing
        if not isinstance(found, Trouble):
            sighting = Sighting(notice.account, notice.entity, found, Via.WEBHOOK, authoritative=True, asked_s=asked)
            known = publishing.memory.drafted
            since = following_since(known, notice.account, notice.entity, asked) - self._overlap
            return publishing.sight(draft, sighting, since) is Reason.DOUBTFUL
        if found.why is Why.NOT_FOUND:
            publishing.miss(
                draft,
                notice.account,
                notice.entity,
                record_id,
                Via.WEBHOOK,
                happened_s=notice.happened_ms / 1000,
                announced=notice.event == "deleted",
            )
        return False

    def _finish(self, draft: Draft, record: Incoming) -> None:
        self._positions.finish(record.position.offset)
        publishing = self._publishing
        key = position_key(self._topic)
        draft.add(cursor_record(publishing.names, publishing.shard, key, self._positions.encode()))
