"""Polling: Copper's changes of one entity of one account, read by scans and published.

Every interval (`policy.pacing`), everything modified since the last scan's start less the overlap; and now and then the
same an hour back: the deep pass catches what Copper's search showed later than the overlap allows. Events, cursor and
watermark go into one transaction. Begins when the first snapshot is done (`shard.snapshotting`). Called by the shard
session; knows no HTTP and no Kafka client.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.contract.cursors import ScanCursor
from bridge.contract.watermarks import Watermark, watermark_record
from bridge.policy.outcomes import backoff
from bridge.policy.pacing import jittered
from bridge.policy.scans import REACHABLE, Scan, ScanEnd, Step, ascending, descending, next_lower
from bridge.policy.sightings import Lane, Page, Stamp, Trouble, Via
from bridge.shard.cursors import read_scan, scan_record
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
    reach: int = REACHABLE
    """Rows of one search that Copper gives at most."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """How a scan ended: `trouble` is what stopped it, `late` the ages of what only a deep pass could find, seconds."""

    trouble: Trouble | None = None
    late: tuple[float, ...] = ()
    found: bool = False
    every: float = 0.0
    """The interval until the next one, seconds."""


class Polling:
    """The flow for one entity of one account."""

    def __init__(
        self,
        polled: Polled,
        scanning: Scanning,
        asked: asyncio.Event,
        followed: asyncio.Event,
        tally: Counter[str],
        observe: Callable[[Polled, Scanned], None],
        pace: Callable[[bool], float],
        chance: Callable[[], float],
    ) -> None:
        """`followed` is set when the first snapshot is done; `tally` counts events by path since the last watermark.

        `observe` gets the outcome of every scan. When search does not reach what was modified since the last scan, this
        clears `followed` and sets `asked`: the first snapshot is taken once more. `pace` is told whether a scan found
        something, and gives the seconds to the next one; `chance` gives a number in [0, 1).
        """
        self._polled = polled
        self._scanning = scanning
        self._publishing = scanning.publishing
        self._asked = asked
        self._followed = followed
        self._tally = tally
        self._observe = observe
        self._pace = pace
        self._chance = chance
        self._deep_at: int | None = None

    async def run(self) -> None:
        """Scan, wait, scan, for ever."""
        failures, every = 0, self._polled.every
        clock = asyncio.get_running_loop().time
        deep_due: float | None = None
        while True:
            await self._followed.wait()
            started = clock()
            if deep_due is None:  # at any time of a period: those of many accounts began together
                deep_due = started + self._polled.deep_every * (1.0 - self._chance())
            deep = started >= deep_due
            if deep:
                deep_due = started + self._polled.deep_every
            scanned = await self._once(deep=deep)
            every = self._pace(scanned.found) if scanned.trouble is None else every
            self._observe(self._polled, replace(scanned, every=every))
            failures = 0 if scanned.trouble is None else failures + 1
            behind = backoff(failures, LONGEST_PAUSE_SECONDS) if failures else 0.0
            await asyncio.sleep(max(behind, started + jittered(every, self._chance()) - clock()))

    async def _once(self, *, deep: bool) -> Scanned:
        cursor = read_scan(self._publishing.memory.known, self._polled.account, self._polled.entity)
        if cursor is None:
            raise LookupError("an entity is followed only when its first snapshot has left a cursor")
        try:
            found = bool((await self._live(cursor)).published)
            scanned = await self._deep(cursor) if deep and self._followed.is_set() else Scanned()
            return replace(scanned, found=found)
        except ScanFailed as failed:
            return Scanned(failed.trouble)

    async def _live(self, cursor: ScanCursor) -> Read:
        """Read what was modified since the last scan; the cursor moves when the scan has ended."""
        told: Counter[str] = Counter()  # other flows may count on between a draft and its commit

        def progress(_page: Page, following: Step | ScanEnd, done: Read) -> After:
            def write(draft: Draft) -> None:
                if isinstance(following, ScanEnd):
                    told.clear()
                    told.update(+self._tally)
                    self._advance(draft, cursor, following, done, told)

            def committed() -> None:
                self._tally.subtract(told)
                if isinstance(following, ScanEnd) and following.unreached:
                    self._followed.clear()
                    self._asked.set()

            return After(cursor.followed_since, write, committed)

        return await self._scanning.read(self._modified_since(cursor.lower), Lane.POLLS, Via.POLL, progress)

    def _modified_since(self, lower: int) -> Scan:
        if self._polled.filtered:
            return ascending(Stamp.MODIFIED, lower, reach=self._polled.reach)
        return descending(lower, reach=self._polled.reach)

    def _advance(self, draft: Draft, cursor: ScanCursor, end: ScanEnd, done: Read, told: Counter[str]) -> None:
        """The next cursor, and what can be said now about what is complete: nothing, if search did not reach it all.

        A cursor that was set back while the scan ran stays: the next one begins there.
        """
        polled, publishing = self._polled, self._publishing
        kept = read_scan(publishing.memory.drafted, polled.account, polled.entity)
        if kept is not None and kept.lower < cursor.lower:
            told.clear()
            return
        moved = replace(cursor, lower=next_lower(end, lower=cursor.lower, overlap=polled.overlap))
        if end.unreached:
            moved = replace(moved, resume_at=0, read=0, calls=0, incomplete=False)
        draft.add(scan_record(publishing.names, publishing.shard, polled.account, polled.entity, moved))
        if end.unreached:
            told.clear()
            return
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
        after, done, trouble = After(cursor.followed_since, lambda _draft: None), Read(), None
        scan = self._modified_since(lower)
        try:
            await self._scanning.read(scan, Lane.CHECKS, Via.DEEP, lambda _page, _following, _done: after, done=done)
            self._deep_at = int(self._publishing.clock())
        except ScanFailed as failed:
            trouble = failed.trouble
        now = self._publishing.clock()
        moved = read_scan(self._publishing.memory.known, self._polled.account, self._polled.entity) or cursor
        return Scanned(trouble, tuple(now - at for at in done.published if at < moved.lower))
