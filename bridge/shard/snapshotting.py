"""Snapshotting: everything that exists of one entity of one account, read by creation date, page by page.

The first snapshot comes before anything is polled, and its rows are snapshot rows (or created events, if so wanted).
Later ones are asked for by operators and run beside the polls: each record is published as the change it turns out to
be, or once more as a snapshot row, and never over something newer. Each page is committed with the place to go on from,
so a crash costs one page. It asks for first pages only, from the last second of the page before, so Copper's limit of
reachable rows per search does not bite. Called by the shard session.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.cursors import ScanCursor, SnapshotCursor
from bridge.contract.records import Outgoing
from bridge.policy.outcomes import backoff
from bridge.policy.scans import LARGEST, ScanEnd, Step, ascending
from bridge.policy.sightings import Lane, Page, Stamp, Trouble, Via
from bridge.shard.cursors import read_scan, read_snapshot, scan_record, snapshot_record
from bridge.shard.polling import LONGEST_PAUSE_SECONDS, Polled
from bridge.shard.ports import Draft
from bridge.shard.scanning import After, Read, ScanFailed, Scanning

TELL_SECONDS = 5.0
"""Between two announcements of progress at least."""
PACE_PAGES = 20
"""How many of the last pages tell the pace."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How far a snapshot has come. `expected` is what Copper claims in all, an upper bound."""

    account: str
    entity: str
    records: int
    expected: int
    calls: int
    seconds_left: int | None
    """At the present pace; None while there is none."""
    done: bool
    incomplete: bool = False
    """A second of creation held more records than could be shown to have been read."""


class Snapshotting:
    """The flow for one entity of one account."""

    def __init__(
        self,
        polled: Polled,
        scanning: Scanning,
        asked: asyncio.Event,
        followed: asyncio.Event,
        failed: Callable[[Polled, Trouble], None],
        taken: Callable[[Taken], None],
    ) -> None:
        """`asked` is set when an operator wants a snapshot; this sets `followed` when the first one is done.

        `failed` gets what stops a snapshot for a while, `taken` all progress.
        """
        self._polled = polled
        self._scanning = scanning
        self._publishing = scanning.publishing
        self._asked = asked
        self._followed = followed
        self._failed = failed
        self._taken = taken
        self._repeated = False

    async def run(self) -> None:
        """Take the first snapshot, then those that are asked for, for ever."""
        while True:
            self._asked.clear()
            await self._persist(self._first)
            self._followed.set()
            await self._persist(self._another)
            await self._asked.wait()

    async def _persist(self, take: Callable[[], Awaitable[bool]]) -> None:
        """Take a snapshot until it is done, with longer and longer pauses after failures."""
        failures = 0
        while True:
            try:
                if await take():
                    return
                failures = 0
            except ScanFailed as stopped:
                self._failed(self._polled, stopped.trouble)
                failures += 1
                await asyncio.sleep(backoff(failures, LONGEST_PAUSE_SECONDS))

    async def _first(self) -> bool:
        """The first snapshot, from where an earlier session left off; True when it is done."""
        polled = self._polled
        cursor = read_scan(self._publishing.memory.known, polled.account, polled.entity)
        if cursor is not None and cursor.resume_at is None:
            self._repeated = False
            return True
        start = 0 if cursor is None else cursor.resume_at or 0
        track = _Track(polled, None, cursor)

        def progress(page: Page, following: Step | ScanEnd, done: Read) -> After:
            nonlocal cursor
            if cursor is None:
                cursor = ScanCursor(0 if polled.backfill else page.asked_at, 0, 0)
            if start == 0 and done.pages == 1 and not self._repeated:  # all is read from here on: polls begin here
                cursor = replace(cursor, lower=page.asked_at - polled.overlap)
            resume_at = self._resume_at(following, track)
            taken = track.page(page, done, self._publishing.clock(), following, over=resume_at is None)
            repeats = resume_at is not None and isinstance(following, ScanEnd)
            cursor = replace(
                cursor,
                resume_at=resume_at,
                read=0 if repeats else taken.records,
                calls=taken.calls,
                incomplete=taken.incomplete and not repeats,
            )
            names, shard = self._publishing.names, self._publishing.shard
            record = scan_record(names, shard, polled.account, polled.entity, cursor)
            return self._after(cursor.followed_since, record, track, taken)

        scan = ascending(Stamp.CREATED, start)
        await self._scanning.read(scan, Lane.SNAPSHOTS, Via.SNAPSHOT, progress)
        return cursor is not None and cursor.resume_at is None

    async def _another(self) -> bool:
        """A snapshot that was asked for, if one is, from where an earlier session left off."""
        polled, known = self._polled, self._publishing.memory.known
        cursor = read_snapshot(known, polled.account, polled.entity)
        scanned = read_scan(known, polled.account, polled.entity)
        if cursor is None or scanned is None:
            return True
        track = _Track(polled, cursor.control_id, cursor)

        def progress(page: Page, following: Step | ScanEnd, done: Read) -> After:
            over = not isinstance(following, Step)
            taken = track.page(page, done, self._publishing.clock(), following, over=over)
            moved = (
                SnapshotCursor(cursor.control_id, following.resume_at, taken.records, taken.calls, taken.incomplete)
                if isinstance(following, Step)
                else None
            )
            names, shard = self._publishing.names, self._publishing.shard
            record = snapshot_record(names, shard, polled.account, polled.entity, moved)
            return self._after(scanned.followed_since, record, track, taken)

        scan = ascending(Stamp.CREATED, cursor.resume_at)
        await self._scanning.read(scan, Lane.SNAPSHOTS, Via.SNAPSHOT, progress, again=True)
        return True

    def _after(self, followed_since: int, cursor: Outgoing, track: "_Track", taken: Taken) -> After:
        now = self._publishing.clock()
        news = track.news(taken, now)

        def write(draft: Draft) -> None:
            draft.add(cursor)
            for each in news:
                draft.add(announcement_record(each, self._publishing.names, self._publishing.shard))

        return After(followed_since, write, lambda: self._taken(taken))

    def _resume_at(self, following: Step | ScanEnd, track: "_Track") -> int | None:
        """Where the snapshot goes on; None when it is done. What could not be shown to be whole is read twice."""
        if isinstance(following, Step):
            return following.resume_at
        if track.incomplete(following) and not self._repeated:
            self._repeated = True
            return 0
        return None


class _Track:
    """Counts a snapshot's progress, and says when there is something to tell. Times are Unix seconds."""

    def __init__(self, polled: Polled, control_id: str | None, cursor: ScanCursor | SnapshotCursor | None) -> None:
        self._polled = polled
        self._control_id = control_id
        self._before, self._calls = (cursor.read, cursor.calls) if cursor else (0, 0)
        self._incomplete = cursor is not None and cursor.incomplete
        self._expected = 0
        self._pages: deque[float] = deque(maxlen=PACE_PAGES)
        self._told_at: float | None = None

    def incomplete(self, following: Step | ScanEnd) -> bool:
        """Whether anything so far, in earlier sessions too, could not be shown to have been read."""
        return self._incomplete or following.incomplete

    def page(self, page: Page, done: Read, now: float, following: Step | ScanEnd, *, over: bool) -> Taken:
        """Count a page; `over` when nothing follows it."""
        self._pages.append(now)
        records = self._before + len(done.seen)
        rest = max(0, (page.total or 0) - len(page.records))
        self._expected = records if over else max(self._expected, records + rest)
        return Taken(
            self._polled.account,
            self._polled.entity,
            records,
            self._expected,
            self._calls + done.pages,
            seconds_left(self._expected - records, self._pages),
            done=over,
            incomplete=self.incomplete(following),
        )

    def news(self, taken: Taken, now: float) -> list[Announcement]:
        """What to tell of a page."""
        data = {"records": taken.records, "calls": taken.calls}
        news = []
        if self._told_at is None:
            news.append(self._news(Told.SNAPSHOT_STARTED, now, {"records": self._before, "expected": taken.expected}))
        if taken.done:
            news.append(self._news(Told.SNAPSHOT_COMPLETED, now, {**data, "incomplete": taken.incomplete}))
        elif self._told_at is not None and now - self._told_at >= TELL_SECONDS:
            more = {"expected": taken.expected, "seconds_left": taken.seconds_left}
            news.append(self._news(Told.SNAPSHOT_PROGRESS, now, {**data, **more}))
        self._told_at = now if news else self._told_at
        return news

    def _news(self, told: Told, now: float, data: dict[str, object]) -> Announcement:
        return Announcement(told, self._polled.account, round(now * 1000), self._polled.entity, self._control_id, data)


def seconds_left(records: int, pages: "deque[float]") -> int | None:
    """How long so many records take at the pace of the last pages; None before there is a pace."""
    if len(pages) < 2:  # noqa: PLR2004 - a pace is a distance
        return None
    per_page = (pages[-1] - pages[0]) / (len(pages) - 1)
    return round(-(-records // LARGEST) * per_page)
