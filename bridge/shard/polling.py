"""Polling: Copper's changes of one entity of one account, read by scans and published.

The first time, everything that exists is read by creation date and published as snapshot rows, page by page, each page
with the place to go on from. Then, every interval, everything modified since the last scan's start less the overlap;
and now and then the same an hour back: the deep pass catches what Copper's search showed later than the overlap allows.
Events and cursor go into one transaction. Called by the shard session; knows no HTTP and no Kafka client.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bridge.policy.changes import Reason, Sighting
from bridge.policy.scans import Scan, ScanEnd, Step, ascending, descending, next_lower
from bridge.policy.sightings import Lane, Page, Record, Stamp, Trouble, Via, Why
from bridge.shard.cursors import ScanCursor, read_scan, scan_record
from bridge.shard.ports import Copper, Draft, Ledger
from bridge.shard.publishing import Publishing

LONGEST_PAUSE_SECONDS = 60.0
DEEP_SECONDS = 3600
"""How far the deep pass reads back."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What to poll, and how. `filtered`: Copper has a modified-date filter for the entity. Seconds throughout."""

    account: str
    entity: str
    filtered: bool
    every: float
    deep_every: float
    overlap: int
    backfill: bool
    """Publish what the first snapshot finds as created instead of as snapshot rows."""


class ScanFailed(Exception):
    """A page could not be had; the scan is begun again later, from where its cursor stands."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.why)
        self.trouble = trouble


class Polling:
    """The flow for one entity of one account."""

    def __init__(
        self,
        polled: Polled,
        copper: Copper,
        ledger: Ledger,
        publishing: Publishing,
        observe: Callable[[Polled, Trouble | None], None],
        followed: Callable[[Polled], None] = lambda _polled: None,
    ) -> None:
        """`observe` gets the outcome of every scan: None, or what stopped it; `followed` the end of the snapshot."""
        self._polled = polled
        self._copper = copper
        self._ledger = ledger
        self._publishing = publishing
        self._observe = observe
        self._followed = followed
        self._repeated = False

    async def run(self) -> None:
        """Scan, wait, scan, for ever."""
        failures = 0
        clock = asyncio.get_running_loop().time
        deep_at = clock() + self._polled.deep_every
        while True:
            started = clock()
            deep = started >= deep_at
            if deep:
                deep_at = started + self._polled.deep_every
            trouble = await self._once(deep=deep)
            self._observe(self._polled, trouble)
            failures = 0 if trouble is None else failures + 1
            behind = min(LONGEST_PAUSE_SECONDS, 2.0**failures) if failures else 0.0
            await asyncio.sleep(max(behind, started + self._polled.every - clock()))

    async def _once(self, *, deep: bool) -> Trouble | None:
        cursor = read_scan(self._publishing.memory.known, self._polled.account, self._polled.entity)
        try:
            if cursor is None or cursor.resume_at is not None:
                await self._snapshot(cursor)
            else:
                await self._live(cursor)
                if deep:
                    await self._deep(cursor)
        except ScanFailed as failed:
            return failed.trouble
        return None

    async def _snapshot(self, cursor: ScanCursor | None) -> None:
        """Read by creation date, from where an earlier session left off."""
        start = (cursor.resume_at if cursor else None) or 0
        scan = ascending(Stamp.CREATED, start)

        def progress(page: Page, following: Step | ScanEnd) -> ScanCursor:
            nonlocal cursor
            if cursor is None:
                followed = 0 if self._polled.backfill else page.asked_at
                cursor = ScanCursor(followed, page.asked_at - self._polled.overlap, 0)
            cursor = replace(cursor, resume_at=self._resume_at(following, start))
            return cursor

        await self._read(scan, Lane.CHECKS, Via.SNAPSHOT, progress)
        if cursor is not None and cursor.resume_at is None:
            self._followed(self._polled)

    def _resume_at(self, following: Step | ScanEnd, start: int) -> int | None:
        """Where the snapshot goes on; None when it is done. What could not be shown to be whole is read twice."""
        if isinstance(following, Step):
            return following.resume_at
        if following.incomplete and not self._repeated:
            self._repeated = True
            return start
        return None

    async def _live(self, cursor: ScanCursor) -> None:
        """Read what was modified since the last scan; the cursor moves when the scan has ended."""
        scan = ascending(Stamp.MODIFIED, cursor.lower) if self._polled.filtered else descending(cursor.lower)

        def progress(_page: Page, following: Step | ScanEnd) -> ScanCursor:
            if isinstance(following, Step):
                return cursor
            return replace(cursor, lower=next_lower(following, lower=cursor.lower, overlap=self._polled.overlap))

        await self._read(scan, Lane.POLLS, Via.POLL, progress)

    async def _deep(self, cursor: ScanCursor) -> None:
        """Read an hour back. It never moves the cursor: what it finds was late, and that is counted."""
        lower = max(0, cursor.lower + self._polled.overlap - DEEP_SECONDS)
        scan = ascending(Stamp.MODIFIED, lower) if self._polled.filtered else descending(lower)
        await self._read(scan, Lane.CHECKS, Via.DEEP, lambda _page, _following: cursor, save=False)

    async def _read(
        self,
        scan: Scan,
        lane: Lane,
        via: Via,
        progress: Callable[[Page, Step | ScanEnd], ScanCursor],
        *,
        save: bool = True,
    ) -> None:
        step: Step | ScanEnd = next(scan)
        while isinstance(step, Step):
            page = await self._ask(step, lane)
            step = _advance(scan, page)
            await self._publish(page, progress(page, step), via, save=save)

    async def _ask(self, step: Step, lane: Lane) -> Page:
        page = await self._copper.search(self._polled.entity, step.ask, lane)
        if isinstance(page, Trouble):
            raise ScanFailed(page)
        return page

    async def _publish(self, page: Page, cursor: ScanCursor, via: Via, *, save: bool) -> None:
        """Publish a page together with the cursor it allows.

        What search could not put in order is read by its id and judged again first: no cursor passes a record in doubt.
        """
        asked = self._publishing.clock()
        doubtful = await self._commit(page.records, cursor, via, asked, authoritative=False, save=save)
        for record_id in doubtful:
            await self._publish_by_id(record_id, cursor, via)
        if doubtful:
            await self._commit([], cursor, via, asked, authoritative=True, save=save)

    async def _publish_by_id(self, record_id: int, cursor: ScanCursor, via: Via) -> None:
        """Read until the answer is newer than what is known: another flow may have learned of the record meanwhile."""
        doubtful = True
        while doubtful:
            asked = self._publishing.clock()
            record = await self._copper.get(self._polled.entity, record_id, Lane.POLLS)
            if isinstance(record, Trouble):
                if record.why is Why.NOT_FOUND:
                    return  # deleted meanwhile: a matter for notices and sweeps
                raise ScanFailed(record)
            doubtful = bool(await self._commit([record], cursor, via, asked, authoritative=True, save=False))

    async def _commit(
        self,
        records: Iterable[Record],
        cursor: ScanCursor,
        via: Via,
        asked: float,
        *,
        authoritative: bool,
        save: bool,
    ) -> list[int]:
        """Judge and write; gives the ids in doubt, in whose presence the cursor is not written."""
        polled, publishing = self._polled, self._publishing

        def write(draft: Draft) -> list[int]:
            doubtful = []
            for record in records:
                sighting = Sighting(polled.account, polled.entity, record, via, authoritative, asked)
                if publishing.sight(draft, sighting, cursor.followed_since - polled.overlap) is Reason.DOUBTFUL:
                    doubtful.append(record["id"])
            if save and not doubtful:
                draft.add(scan_record(publishing.names, publishing.shard, polled.account, polled.entity, cursor))
            return doubtful

        return await self._ledger.commit(write)


def _advance(scan: Scan, page: Page) -> Step | ScanEnd:
    try:
        return scan.send(page)
    except StopIteration as end:
        ended: ScanEnd = end.value
        return ended
    except ValueError as nonsense:
        raise ScanFailed(Trouble(Why.UNREADABLE, str(nonsense))) from None
