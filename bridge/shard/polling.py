"""Polling: Copper's changes of one entity of one account, read by scans and published.

Every interval, everything modified since the last scan's start less the overlap; and now and then the same an hour
back: the deep pass catches what Copper's search showed later than the overlap allows. Events, cursor and watermark go
into one transaction. Begins when the first snapshot is done (`shard.snapshotting`). Called by the shard session; knows
no HTTP and no Kafka client.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.contract.watermarks import Watermark, watermark_record
from bridge.policy.outcomes import backoff
from bridge.policy.scans import ScanEnd, Step, ascending, descending, next_lower
from bridge.policy.sightings import Lane, Page, Stamp, Trouble, Via
from bridge.shard.cursors import ScanCursor, read_scan, scan_record
from bridge.shard.ports import Draft
from bridge.shard.scanning import After, Read, ScanFailed, Scanning
from bridge.shard.sweep_state import read_sweeps

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


@dataclass(frozen=True, slots=True)
class Scanned:
    """How a scan ended: `trouble` is what stopped it, `late` the ages of what only a deep pass could find, seconds."""

    trouble: Trouble | None = None
    late: tuple[float, ...] = ()


class Polling:
    """The flow for one entity of one account."""

    def __init__(
        self,
        polled: Polled,
        scanning: Scanning,
        followed: asyncio.Event,
        tally: Counter[str],
        observe: Callable[[Polled, Scanned], None],
    ) -> None:
        """`followed` is set when the first snapshot is done; `tally` counts events by path since the last watermark.

        `observe` gets the outcome of every scan.
        """
        self._polled = polled
        self._scanning = scanning
        self._publishing = scanning.publishing
        self._followed = followed
        self._tally = tally
        self._observe = observe
        self._deep_at: int | None = None

    async def run(self) -> None:
        """Scan, wait, scan, for ever."""
        await self._followed.wait()
        failures = 0
        clock = asyncio.get_running_loop().time
        deep_due = clock() + self._polled.deep_every
        while True:
            started = clock()
            deep = started >= deep_due
            if deep:
                deep_due = started + self._polled.deep_every
            scanned = await self._once(deep=deep)
            self._observe(self._polled, scanned)
            failures = 0 if scanned.trouble is None else failures + 1
            behind = backoff(failures, LONGEST_PAUSE_SECONDS) if failures else 0.0
            await asyncio.sleep(max(behind, started + self._polled.every - clock()))

    async def _once(self, *, deep: bool) -> Scanned:
        cursor = read_scan(self._publishing.memory.known, self._polled.account, self._polled.entity)
        if cursor is None:
            raise LookupError("an entity is followed only when its first snapshot has left a cursor")
        try:
            await self._live(cursor)
            return await self._deep(cursor) if deep else Scanned()
        except ScanFailed as failed:
            return Scanned(failed.trouble)

    async def _live(self, cursor: ScanCursor) -> None:
        """Read what was modified since the last scan; the cursor moves when the scan has ended."""
        told: Counter[str] = Counter()  # other flows may count on between a draft and its commit

        def progress(_page: Page, following: Step | ScanEnd, done: Read) -> After:
            def write(draft: Draft) -> None:
                if isinstance(following, ScanEnd):
                    told.clear()
                    told.update(+self._tally)
                    self._advance(draft, cursor, following, done, told)

            return After(cursor.followed_since, write, lambda: self._tally.subtract(told))

        lower = cursor.lower
        scan = ascending(Stamp.MODIFIED, lower) if self._polled.filtered else descending(lower)
        await self._scanning.read(scan, Lane.POLLS, Via.POLL, progress)

    def _advance(self, draft: Draft, cursor: ScanCursor, end: ScanEnd, done: Read, told: Counter[str]) -> None:
        """The next cursor, and what can be said now about what is complete."""
        polled, publishing = self._polled, self._publishing
        moved = replace(cursor, lower=next_lower(end, lower=cursor.lower, overlap=polled.overlap))
        draft.add(scan_record(publishing.names, publishing.shard, polled.account, polled.entity, moved))
        swept_at = read_sweeps(publishing.memory.drafted, polled.account).finished_at
        watermark = Watermark(
            account=polled.account,
            entity=polled.entity,
            complete_to=moved.lower - 1,
            searched_at=end.asked_at,
            claimed=done.claimed if polled.filtered else None,
            seen=len(done.seen),
            events=dict(told),
            deep_at=self._deep_at,
            swept_at=None if swept_at is None else int(swept_at),
        )
        draft.add(watermark_record(watermark, publishing.names, publishing.shard))

    async def _deep(self, cursor: ScanCursor) -> Scanned:
        """Read an hour back, after the live scan. It never moves the cursor.

        What it finds below the next live scan's bound was late: no other scan would have found it.
        """
        lower = max(0, cursor.lower + self._polled.overlap - DEEP_SECONDS)
        scan = ascending(Stamp.MODIFIED, lower) if self._polled.filtered else descending(lower)
        after = After(cursor.followed_since, lambda _draft: None)
        done = await self._scanning.read(scan, Lane.CHECKS, Via.DEEP, lambda _page, _following, _done: after)
        now = self._publishing.clock()
        self._deep_at = int(now)
        moved = read_scan(self._publishing.memory.known, self._polled.account, self._polled.entity) or cursor
        return Scanned(late=tuple(now - at for at in done.published if at < moved.lower))
