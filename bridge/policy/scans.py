"""The scans: conversations that read everything Copper's search has changed or created since a given second.

A scan is a generator: it yields a `Step` with a question, is sent the `Page` that answered it, and returns a `ScanEnd`.
Whoever drives it (polling, snapshotting) hands on the records of every page, in the order of the pages.
Knows no HTTP, no clock, and not which records are new: `policy.changes` judges them.

What is promised: a record whose entry in the search index is at or above `lower`, and stays as it is from the scan's
start to its end, is in one of its pages. With `lower` = the previous scan's start by Copper's clock minus an overlap of
at least the index lag, every version that stays the latest is seen: stamped d, it is visible before d + 1 + lag; take
the first scan that starts after that; the scan before it started earlier than d + 1 + lag, so `lower` <= d.

Taken for granted: one answer is one snapshot of the index. Never relied on: the order of rows with equal stamps, that a
short page is the last one, that rows keep their offsets between two calls, that X-PW-TOTAL is exact (an upper bound).
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from bridge.policy.sightings import Ask, Page, Stamp

LARGEST = 200
"""Rows Copper gives per page at most."""
REACHABLE = 100_000
"""Rows of one search that Copper gives at most, however it is paged (reference: copper-api.md §1)."""
NEWEST = 50
"""Rows of the first page of a scan without a filter: few of them have changed, and each page costs as its rows do."""
SETTLED = 3
"""So often an answer that fits in one page must repeat, with its total unmet, to be taken as all there is."""
QUIET = 6
"""After so many passes over a crowded second that bring nothing new, its unmet total is given up."""
PASSES = 40
"""And after so many passes in any case."""
WIDEST = 600
"""Seconds a scan after an incomplete one looks back at most: by then the deep pass has been there too."""
UNCOVERED = 1 << 62
"""Later than every second: nothing has been covered yet."""


@dataclass(frozen=True, slots=True)
class Step:
    """A question of a scan. Once all pages before it are safely handed on, a new scan may start from `resume_at`.

    `incomplete`: something below `resume_at` could not be shown to have been read; the new scan does not know.
    """

    ask: Ask
    resume_at: int
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class ScanEnd:
    """How a scan ended.

    `asked_at` is the first page's, Unix seconds by Copper's clock. `incomplete`: a second held more rows than fit into
    one page, and they could not all be shown to have been read; the next scan has to look at them again. `unreached`:
    the lower bound lies deeper than search reaches, no scan of this kind will come to it.
    """

    asked_at: int
    incomplete: bool = False
    unreached: bool = False


Scan = Generator[Step, Page, ScanEnd]


def next_lower(end: ScanEnd, *, lower: int, overlap: int) -> int:
    """The lower bound of the scan after one that ended so; never below its own `lower`, all in Unix seconds."""
    return max(lower, end.asked_at - (WIDEST if end.incomplete else overlap))


def ascending(stamp: Stamp, lower: int, upper: int | None = None, size: int = LARGEST, reach: int = REACHABLE) -> Scan:
    """Read from the second `lower` upwards: leads, opportunities, tasks, projects; by `Stamp.CREATED` every entity.

    Only first pages are asked for, each from the last second of the one before. A record that stays as it is and is not
    in a page lies at or above that page's last second, so it stays ahead of us. A page that is all one second may hide
    more of that second: then its rows are collected until their number reaches Copper's total for it.

    Whether Copper's minimum is inclusive is documented but unproven: it is asked one second lower until a row on the
    bound itself has proved it.

    Raises:
        ValueError: `upper` is below `lower`, or Copper answered with rows below the bound it was given.
    """
    if upper is not None and upper < lower:
        raise ValueError("a scan's upper bound must not be below its lower one")
    at, inclusive, incomplete = lower, False, False
    asked_at: int | None = None
    while asked_at is None or upper is None or at <= upper:
        floor = at if inclusive else max(0, at - 1)
        page = yield Step(Ask(stamp, at_least=floor, at_most=upper, size=size), at, incomplete)
        asked_at = page.asked_at if asked_at is None else asked_at
        if _holds_all(page, size):
            break
        seconds = _seconds(page, stamp)
        if seconds[0] < floor:
            raise ValueError("Copper answered a search with rows below the bound it was given")
        inclusive = inclusive or seconds[0] == floor
        if seconds[-1] > at:
            at = seconds[-1]
        elif floor == at or not inclusive:  # else the bound has just been proved: ask for the second by itself
            incomplete |= not (yield from _second(stamp, floor, at, size, reach, incomplete=incomplete))
            at += 1
    return ScanEnd(asked_at, incomplete)


def _second(
    stamp: Stamp, floor: int, at: int, size: int, reach: int, *, incomplete: bool
) -> Generator[Step, Page, bool]:
    """Collect the second `at`, which a page lay wholly in; tell whether it is complete.

    Reached has to be the first total and all its increases: rows that are edited meanwhile leave the second and lower
    the total, others become visible late and raise it, and the one must not pass for the other. What is left to the
    overlap of the next scan is a row that leaves and one that comes between the same two answers.
    """
    known: set[int] = set()
    target, total, quiet, until = 0, 0, 0, at
    for width in _widths(size):
        before, number, spilled = len(known), 1, False
        while True:
            page = yield Step(Ask(stamp, at_least=floor, at_most=until, page=number, size=width), at, incomplete)
            known |= _ids(page)
            if page.total is not None:
                target, total = target + max(0, page.total - total), page.total
                if page.records and len(known) >= target:
                    return True
            if not page.records or (page.total is not None and number * width >= page.total):
                break
            spilled = spilled or number > 1 or len(page.records) == width
            number += 1
            if number * width > reach:
                break
        if number == 1 and not page.records:
            until = at + 1  # its rows have just been seen: perhaps Copper's maximum is exclusive
        quiet = quiet + 1 if len(known) == before else 0
        if quiet == SETTLED and not spilled:
            return True
        if quiet == QUIET:
            break
    return False


def descending(lower: int, size: int = LARGEST, reach: int = REACHABLE) -> Scan:
    """Read from the newest modification down to the second `lower`: people, companies (they have no modified filter).

    Windows overlap, and one counts only if its first row was modified strictly after the last row covered before it: in
    its own snapshot everything that stayed as it is and is older than that row comes after its first. So neither
    records that jump to the top nor deletes can open a gap. A second too crowded for windows to overlap is collected
    apart. Without a filter to narrow it, it ends where search does.
    """
    scan = _windows(lower, size)
    step, asked_at = next(scan), 0
    while step.ask.page * step.ask.size <= reach:
        page = yield step
        asked_at = asked_at or page.asked_at
        try:
            step = scan.send(page)
        except StopIteration as stop:
            end: ScanEnd = stop.value
            return end
    return ScanEnd(asked_at, unreached=True)


def _windows(lower: int, size: int) -> Scan:
    """Read down to `lower`, however deep that is."""
    covered, end, need, quiet, incomplete = UNCOVERED, 0, 1, 0, False
    asked_at: int | None = None
    window = (1, min(NEWEST, size))
    while True:
        page = yield Step(_newest(window), lower)
        asked_at = page.asked_at if asked_at is None else asked_at
        start, seconds = (window[0] - 1) * window[1], _seconds(page, Stamp.MODIFIED)
        if start and (not seconds or seconds[0] <= covered):  # rows above it went away: overlap more, or begin again
            need *= 2
            following = _window(end, need, size)
            window, end = (following, end) if following else ((1, size), 0)
            continue
        covered = min([covered, *seconds[-1:]])
        if covered < lower or _holds_all(page, window[1], start):
            break
        quiet = quiet + 1 if start + len(seconds) <= end else 0
        if quiet == SETTLED:
            break
        end, need = start + len(seconds), seconds.count(seconds[-1]) + 1
        following = _window(end, need, size)
        if following is None:
            end, complete = yield from _crowd(seconds[-1], start, lower, size)
            covered, need, incomplete = min(covered, seconds[-1] - 1), 1, incomplete or not complete
            following = _window(end, need, size)
        window = following or (1, size)
    return ScanEnd(asked_at, incomplete)


def _crowd(second: int, start: int, lower: int, size: int) -> Generator[Step, Page, tuple[int, bool]]:
    """Collect a second that a window at offset `start` reaches, by passes from above it to below it.

    Returns the offset after its last row, and whether all its rows were read.

    No filter gives its total, but its first and last offset within a pass do. A shift while a pass runs can make that
    too small, hence the largest measure counts, and a pass that brings nothing new has to confirm it.
    """
    known: set[int] = set()
    most, quiet, end = 0, 0, start + 1
    for width in _widths(size):
        before = len(known)
        offsets = yield from _pass(second, start, width, lower, known)
        if offsets:
            most, start, end = max(most, offsets[-1] - offsets[0] + 1), offsets[0], offsets[-1] + 1
        quiet = quiet + 1 if len(known) == before else 0
        if quiet and len(known) >= most:
            return end, True
        if quiet == QUIET:
            break
    return end, False


def _pass(second: int, start: int, width: int, lower: int, known: set[int]) -> Generator[Step, Page, list[int]]:
    """One pass over a crowded second: adds the ids it finds in it to `known`, returns their offsets, in order."""
    number = start // width + 1
    page = yield Step(_newest((number, width)), lower)
    while number > 1 and not (page.records and _seconds(page, Stamp.MODIFIED)[0] > second):
        number -= 1
        page = yield Step(_newest((number, width)), lower)
    offsets: list[int] = []
    while page.records:
        base, seconds = (number - 1) * width, _seconds(page, Stamp.MODIFIED)
        offsets += [base + row for row, found in enumerate(seconds) if found == second]
        known.update(record["id"] for record in page.records if record[Stamp.MODIFIED] == second)
        if seconds[-1] < second or _holds_all(page, width, base):
            break
        number += 1
        page = yield Step(_newest((number, width)), lower)
    return offsets


def _window(end: int, need: int, size: int) -> tuple[int, int] | None:
    """The (page number, rows per page) that overlaps the rows before offset `end` by `need` and reaches furthest.

    Copper's pages begin at multiples of their size, so a size that does not divide `end` is looked for. None: there is
    none worth a call.
    """
    if end < size:
        return 1, size
    fitting = [width for width in range(2, size + 1) if end % width >= need]
    width = max(fitting, key=lambda width: width - end % width, default=0)
    if need == 1 and not width:  # only tiny pages come to this
        width = next(width for width in range(size + 1, end + 2) if end % width)
    gain = width - end % width if width else 0
    return (end // width + 1, width) if need == 1 or gain > size // 8 else None


def _newest(window: tuple[int, int]) -> Ask:
    return Ask(Stamp.MODIFIED, descending=True, page=window[0], size=window[1])


def _holds_all(page: Page, size: int, start: int = 0) -> bool:
    """Whether nothing can follow this page: it has room left and Copper's total, an upper bound, is reached.

    An empty first page is the end as well; a full page is not trusted, its total may be newer than its rows.
    """
    if not page.records:
        return start == 0
    return page.total is not None and len(page.records) < size and start + len(_ids(page)) >= page.total


def _seconds(page: Page, stamp: Stamp) -> list[int]:
    return [record[stamp] for record in page.records]


def _ids(page: Page) -> set[int]:
    return {record["id"] for record in page.records}


def _widths(size: int) -> Iterator[int]:
    """Rows per page for one pass after another: other page borders each time, lest the same row be cut off always."""
    return (size - number % (size // 2 + 1) for number in range(PASSES))
