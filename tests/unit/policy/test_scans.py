from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.scans import LARGEST, NEWEST, WIDEST, Scan, ScanEnd, Step, _window, ascending, descending, next_lower
from bridge.policy.sightings import Ask, Page, Record, Stamp

if TYPE_CHECKING:
    from tests.unit.policy.conftest import Simulate, Tally

Scanning = Callable[[int, int], Scan]


def rows(*seconds: int, first: int = 1) -> tuple[Record, ...]:
    return tuple({"id": first + n, "date_modified": second, "date_created": second} for n, second in enumerate(seconds))


def converse(scan: Scan, pages: Iterable[Page]) -> tuple[list[Step], ScanEnd]:
    """Answer a scan with the pages in turn; its questions and how it ended."""
    steps, answers = [next(scan)], iter(pages)
    while True:
        try:
            steps.append(scan.send(next(answers)))
        except StopIteration as stop:
            return steps, stop.value


def table(records: Iterable[Record], *, over: int = 0) -> Callable[[Ask], Page]:
    """A Copper in which nothing changes."""
    held = sorted(records, key=lambda record: (record["date_modified"], record["id"]))

    def answer(ask: Ask) -> Page:
        low, high = ask.at_least or 0, ask.at_most or 1 << 40
        found = [record for record in held if low <= record[ask.stamp] <= high]
        ordered = found[::-1] if ask.descending else found
        page = ordered[(ask.page - 1) * ask.size : ask.page * ask.size]
        return Page(tuple(page), len(found) + over, 1000)

    return answer


def drive(scan: Scan, answer: Callable[[Ask], Page]) -> tuple[set[int], ScanEnd, int]:
    """Run a scan to its end: the ids handed on, how it ended, the calls it took."""
    seen: set[int] = set()
    step, calls = next(scan), 0
    while True:
        page, calls = answer(step.ask), calls + 1
        seen |= {record["id"] for record in page.records}
        try:
            step = scan.send(page)
        except StopIteration as stop:
            return seen, stop.value, calls


def test_a_poll_that_fits_into_one_page_takes_one_call() -> None:
    for scan in (ascending(Stamp.MODIFIED, 100), descending(100)):
        seen, end, calls = drive(scan, table(rows(101, 102, 103)))
        assert (seen, calls, end) == ({1, 2, 3}, 1, ScanEnd(asked_at=1000))


def test_a_quiet_scan_without_a_filter_asks_for_the_newest_rows_alone() -> None:
    old = rows(*range(1, 151))
    step = next(descending(100_000))
    assert step.ask.size == NEWEST
    seen, end, calls = drive(descending(149), table(old))
    assert (len(seen), end.incomplete, calls) == (NEWEST, False, 1)


def test_a_busy_scan_without_a_filter_goes_on_with_whole_pages() -> None:
    steps, end = converse(
        descending(10),
        [table(rows(*range(1, 151)))(Ask(Stamp.MODIFIED, descending=True, size=size)) for size in (NEWEST, LARGEST)],
    )
    assert [(step.ask.page, step.ask.size) for step in steps] == [(1, NEWEST), (1, LARGEST)]
    assert not end.incomplete


def test_the_end_names_the_moment_the_first_page_was_asked() -> None:
    pages = [Page(rows(100, 101), 4, 500), Page(rows(101, 102), 2, 600), Page((), 0, 700)]
    assert converse(ascending(Stamp.MODIFIED, 100, size=2), pages)[1] == ScanEnd(asked_at=500)


def test_a_scan_may_be_resumed_from_the_step_after_the_last_page_handed_on() -> None:
    everything = table(rows(*range(100, 150)))
    scan = ascending(Stamp.CREATED, 0, size=7)
    step, seen = next(scan), set[int]()
    for _ in range(4):
        page = everything(step.ask)
        seen |= {record["id"] for record in page.records}
        step = scan.send(page)
    rest, _, _ = drive(ascending(Stamp.CREATED, step.resume_at, size=7), everything)
    assert seen | rest == set(range(1, 51))
    assert len(rest) < 50


def test_the_minimum_is_asked_one_second_lower_until_a_row_on_it_proves_it_inclusive() -> None:
    pages = [Page(rows(103, 105), 9, 1), Page(rows(104, 105), 9, 1), Page(rows(105, 106), 8, 1), Page((), 0, 1)]
    steps, _ = converse(ascending(Stamp.MODIFIED, 101, size=2), pages)
    assert [step.ask.at_least for step in steps] == [100, 104, 105, 106]


def test_a_crowded_second_is_read_until_its_total_is_reached() -> None:
    seen, end, _ = drive(ascending(Stamp.MODIFIED, 100, size=3), table(rows(*[100] * 10, 101)))
    assert (len(seen), end.incomplete) == (11, False)


def test_a_crowded_second_whose_total_cannot_be_reached_is_reported() -> None:
    seen, end, _ = drive(ascending(Stamp.MODIFIED, 100, size=3), table(rows(*[100] * 10, 101), over=1))
    assert (len(seen), end.incomplete) == (11, True)


def test_an_arrival_does_not_pass_for_a_row_not_yet_read() -> None:
    # 1..4 share a second; 1 leaves after it was read, 5 arrives late: four ids are known, but 4 is not among them.
    def late(record_id: int, total: int) -> Page:
        return Page(({"id": record_id, "date_modified": 100},), total, 1)

    pages = [
        Page(rows(100, 100), 4, 1),
        Page(rows(100, 100), 4, 1),
        late(3, 3),
        late(5, 4),
        late(4, 4),
        Page((), 0, 1),
    ]
    steps, end = converse(ascending(Stamp.MODIFIED, 100, size=2), pages)
    assert len(steps) == len(pages)
    assert not end.incomplete


def test_an_exclusive_maximum_does_not_hide_a_crowded_second() -> None:
    inclusive = table(rows(*[100] * 10, 101))

    def exclusive(ask: Ask) -> Page:
        high = None if ask.at_most is None else ask.at_most - 1
        return inclusive(Ask(ask.stamp, ask.descending, ask.at_least, high, ask.page, ask.size))

    assert drive(ascending(Stamp.MODIFIED, 100, size=3), exclusive)[0] == set(range(1, 12))


def test_a_scan_stops_at_its_upper_bound() -> None:
    seen, _, _ = drive(ascending(Stamp.MODIFIED, 100, 105, size=3), table(rows(*range(100, 120), *[105] * 5)))
    assert seen == {1, 2, 3, 4, 5, 6, 21, 22, 23, 24, 25}


@pytest.mark.parametrize("seconds", [range(100, 150), [100] * 50, [*range(100, 130), *[130] * 20]])
def test_a_scan_downwards_tells_when_its_bound_lies_deeper_than_search_reaches(seconds: Iterable[int]) -> None:
    everything = table(rows(*seconds))

    def shallow(ask: Ask) -> Page:
        assert ask.page * ask.size <= 20, "asked beyond what search reaches"
        return everything(ask)

    seen, end, _ = drive(descending(90, size=5, reach=20), shallow)
    assert end.unreached
    assert len(seen) >= 10
    assert not drive(descending(90, size=5, reach=60), everything)[1].unreached


def test_a_crowded_second_is_not_read_deeper_than_search_reaches() -> None:
    everything = table(rows(*[100] * 50, 101))

    def shallow(ask: Ask) -> Page:
        assert ask.page * ask.size <= 20, "asked beyond what search reaches"
        return everything(ask)

    seen, end, _ = drive(ascending(Stamp.CREATED, 0, size=5, reach=20), shallow)
    assert (len(seen), end.incomplete) == (21, True)


def test_every_step_after_a_second_not_shown_to_be_whole_says_so() -> None:
    everything = table(rows(*[100] * 10, *range(101, 120)), over=1)
    scan = ascending(Stamp.CREATED, 0, size=3)
    steps, ended = [next(scan)], False
    while not ended:
        try:
            steps.append(scan.send(everything(steps[-1].ask)))
        except StopIteration as stop:
            ended = stop.value.incomplete
    first = next(number for number, step in enumerate(steps) if step.incomplete)
    assert all(step.incomplete for step in steps[first:])
    assert not any(step.incomplete for step in steps if step.resume_at <= 100)
    assert steps[first].resume_at == 101


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="upper bound"):
        next(ascending(Stamp.MODIFIED, 100, 99))


def test_an_answer_that_ignores_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="below the bound"):
        converse(ascending(Stamp.MODIFIED, 100), [Page(rows(42, 101), 9, 1)])


def test_a_window_counts_only_when_it_begins_strictly_above_the_last_row() -> None:
    # After the first window a row above it was deleted, so the overlap is gone: it is read again from higher up.
    pages = [
        Page(rows(109, 108, 107, 106, 105), 9, 1),
        Page(rows(105, 104, 103, 102), 8, 1),
        Page(rows(108, 107, 106, 105, 104), 8, 1),
        Page(rows(106, 105, 104, 103, 99), 8, 1),
    ]
    steps, _ = converse(descending(100, size=5), pages)
    asked = [(step.ask.page - 1) * step.ask.size for step in steps]
    assert asked[0] == 0
    assert asked[2] < asked[1] < 5


@pytest.mark.parametrize("size", [2, 3, 5, 8, 200])
@pytest.mark.parametrize("over", [0, 3])
def test_either_scan_reads_everything_with_pages_of_any_size(size: int, over: int) -> None:
    records = rows(*range(100, 160), *[130] * 12, *[147] * 4, *[160] * 7, *[100] * 6)
    for scan in (ascending(Stamp.MODIFIED, 100, size=size), descending(100, size=size)):
        assert len(drive(scan, table(records, over=over))[0]) == len(records)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(100, 130), max_size=60), st.integers(2, 12), st.integers(95, 135), st.booleans())
def test_a_scan_of_a_table_at_rest_is_complete(seconds: list[int], size: int, lower: int, up: bool) -> None:
    scan = ascending(Stamp.MODIFIED, lower, size=size) if up else descending(lower, size)
    seen, end, _ = drive(scan, table(rows(*seconds)))
    assert seen >= {n for n, second in enumerate(seconds, 1) if second >= lower}
    assert not end.incomplete


@given(st.lists(st.integers(100, 130), max_size=60), st.integers(2, 12), st.integers(95, 135), st.booleans())
def test_a_scan_that_search_is_too_shallow_for_says_so(seconds: list[int], size: int, lower: int, up: bool) -> None:
    reach = 2 * size
    scan = ascending(Stamp.MODIFIED, lower, size=size, reach=reach) if up else descending(lower, size, reach)
    everything = table(rows(*seconds))

    def shallow(ask: Ask) -> Page:
        assert ask.page * ask.size <= reach, "asked beyond what search reaches"
        return everything(ask)

    seen, end, _ = drive(scan, shallow)
    missing = {n for n, second in enumerate(seconds, 1) if second >= lower} - seen
    assert not missing or end.incomplete or end.unreached


@given(st.integers(2, 100_000), st.integers(1, 210), st.integers(2, 200))
def test_a_window_overlaps_by_what_is_needed_and_reaches_beyond(end: int, need: int, size: int) -> None:
    window = _window(end, need, size)
    if window is not None and end >= size:
        start = (window[0] - 1) * window[1]
        assert start <= end - need
        assert start + window[1] > end
    assert window is not None or need > 1


def test_the_next_lower_bound_comes_from_the_start_of_the_scan_and_never_falls() -> None:
    assert next_lower(ScanEnd(1000), lower=500, overlap=120) == 880
    assert next_lower(ScanEnd(1000), lower=900, overlap=120) == 900
    assert next_lower(ScanEnd(1000, incomplete=True), lower=700, overlap=120) == 700
    assert next_lower(ScanEnd(9000, incomplete=True), lower=700, overlap=120) == 9000 - WIDEST


def _verified(total: "Tally", name: str) -> None:
    print(f"{name}: {total}")
    assert (total.lost, total.duplicated, total.disordered, total.invented) == (0, 0, 0, 0), total.failing


def _run(simulate: "Simulate", runs: Iterable[int], **parts: Any) -> "Tally":
    """The simulation over many seeds; with `until_caught`, only up to the first run in which something is wrong."""
    until_caught = parts.pop("until_caught", False)
    seeds = iter(runs)
    total = simulate(next(seeds), **parts)
    for seed in seeds:
        if until_caught and total.failing:
            break
        total += simulate(seed, **parts)
    return total


@pytest.mark.figures
def test_every_final_version_is_published_once_and_in_order(simulate: "Simulate", scan: Scanning) -> None:
    _verified(_run(simulate, range(100), scan=scan), scan.__name__)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_every_final_version_is_published_once_and_in_order_in_many_runs(simulate: "Simulate", scan: Scanning) -> None:
    _verified(_run(simulate, range(1000, 3500), scan=scan), scan.__name__)


@pytest.mark.figures
def test_the_simulation_finds_an_overlap_one_second_below_the_lag(simulate: "Simulate", scan: Scanning) -> None:
    total = _run(simulate, range(300), scan=scan, overlap=7, until_caught=True)
    print(f"{scan.__name__}: caught after {total.runs} runs, lost {total.lost}, seed {total.failing}")
    assert total.lost > 0


@pytest.mark.figures
def test_the_simulation_kills_every_mutant_of_the_poller(
    simulate: "Simulate", scan: Scanning, mutants: dict[str, dict[str, Any]]
) -> None:
    caught = {
        name: _run(simulate, range(120), scan=scan, until_caught=True, **parts) for name, parts in mutants.items()
    }
    for name, total in caught.items():
        print(f"{scan.__name__}, {name}: lost {total.lost}, duplicated {total.duplicated}, seed {total.failing}")
    killed = [name for name, total in caught.items() if total.failing]
    print(f"mutants killed: {len(killed)} of {len(mutants)}")
    assert killed == list(mutants)
