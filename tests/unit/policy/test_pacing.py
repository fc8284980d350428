"""How soon the next scan is: sooner where there is something, later where nobody misses it, within the budget."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.pacing import FIRST_A_SECOND, JITTER, Intervals, Pace, first, intervals, jittered

ENTITIES = ("company", "person", "lead", "opportunity", "task", "project")
PER_MINUTE = 170
HALF_OF_POLLS = PER_MINUTE * 0.35 / 2
"""Scans a minute."""
HOUR = 3600.0
SEED = 7


def _all(of: Intervals) -> Mapping[str, Intervals]:
    return dict.fromkeys(ENTITIES, of)


def _scans(pace: Pace, entity: str, *found: bool, crowded: bool = False) -> list[float]:
    return [pace.after(entity, found=each, crowded=crowded) for each in found]


def test_each_scan_that_finds_something_halves_the_interval_down_to_the_fastest() -> None:
    assert _scans(Pace(_all(intervals(120.0)), PER_MINUTE), "lead", *[True] * 4) == [60.0, 30.0, 30.0, 30.0]
    assert _scans(Pace(_all(intervals(120.0, busy=20.0)), PER_MINUTE), "lead", *[True] * 4) == [60.0, 30.0, 20.0, 20.0]


def test_each_quiet_scan_doubles_the_interval_back_to_the_usual_one() -> None:
    pace = Pace(_all(intervals(120.0)), PER_MINUTE)
    assert _scans(pace, "lead", True, True, False, False, False) == [60.0, 30.0, 60.0, 120.0, 120.0]


def test_an_idle_entity_is_slowed_down_only_while_webhooks_tell() -> None:
    pace = Pace(_all(intervals(60.0, idle=300.0)), PER_MINUTE)
    assert _scans(pace, "lead", False, False) == [60.0, 60.0]
    pace.told = True
    assert _scans(pace, "lead", False, False, False, False) == [120.0, 240.0, 300.0, 300.0]
    assert _scans(pace, "lead", True) == [60.0], "at once, not step by step"
    assert _scans(pace, "lead", False) == [120.0]
    pace.told = False
    assert _scans(pace, "lead", False) == [60.0]


def test_what_is_found_while_others_wait_for_the_budget_makes_nobody_faster_and_nobody_idle() -> None:
    pace = Pace(_all(intervals(60.0, idle=300.0)), PER_MINUTE)
    pace.told = True
    assert _scans(pace, "lead", True, crowded=True) == [60.0]
    assert _scans(pace, "lead", True) == [30.0]
    assert _scans(pace, "lead", True, True, crowded=True) == [60.0, 60.0]


def test_who_is_busy_alone_has_all_that_is_spare_and_divides_it_with_who_is_busy_later() -> None:
    pace = Pace(_all(intervals(15.0)), PER_MINUTE)  # 24 scans a minute of 28 that there may be
    spare = HALF_OF_POLLS * (1 - JITTER) - 24
    alone = 60 / (4 + spare)
    assert _scans(pace, "lead", True, True, True) == pytest.approx([7.5, alone, alone])
    assert _scans(pace, "task", True) == pytest.approx([15.0]), "the other has it"
    both = 60 / (4 + spare / 2)
    assert [*_scans(pace, "lead", True), *_scans(pace, "task", True)] == pytest.approx([both, both])


def test_where_the_usual_intervals_take_all_there_is_nobody_is_faster() -> None:
    assert _scans(Pace(_all(intervals(8.0)), PER_MINUTE), "lead", *[True] * 3) == [8.0, 8.0, 8.0]


several = st.floats(0.25, HOUR)
scans = st.lists(st.tuples(st.sampled_from(ENTITIES), st.booleans(), st.booleans(), st.booleans()), max_size=60)


@given(st.lists(st.tuples(several, several, several), min_size=6, max_size=6), scans)
def test_the_intervals_in_force_never_take_more_than_half_of_the_polls_share_or_the_usual_ones(
    of: Sequence[tuple[float, float, float]], past: Sequence[tuple[str, bool, bool, bool]]
) -> None:
    given_ = {
        entity: intervals(each[1], busy=each[0], idle=each[2])
        for entity, each in zip(ENTITIES, map(sorted, of), strict=True)
    }
    pace = Pace(given_, PER_MINUTE)
    force = {entity: each.every for entity, each in given_.items()}
    for entity, found, crowded, told in past:
        pace.told = told
        force[entity] = pace.after(entity, found=found, crowded=crowded)
        assert given_[entity].fastest <= force[entity] <= given_[entity].slowest
        usual = sum(60 / each.every for each in given_.values())
        taken = sum(60 / (each * (1 - JITTER)) for each in force.values())
        assert taken <= max(HALF_OF_POLLS, usual / (1 - JITTER)) * (1 + 1e-9)


def test_an_entity_with_an_interval_of_its_own_beyond_the_bounds_keeps_it() -> None:
    assert intervals(2.0, busy=5.0, idle=60.0) == Intervals(2.0, 2.0, 60.0)
    assert intervals(600.0, busy=5.0, idle=60.0) == Intervals(5.0, 600.0, 600.0)


def test_an_interval_is_shortened_by_a_twentieth_at_most_and_never_lengthened() -> None:
    assert [jittered(100.0, chance) for chance in (0.0, 0.5, 1.0)] == [100.0, 97.5, 95.0]


def test_the_first_scans_of_few_accounts_come_at_once_and_of_many_within_an_interval() -> None:
    assert first(FIRST_A_SECOND, 15.0, 0.999) == 0.0
    assert first(6_000, 600.0, 1.0) == 6_000 / FIRST_A_SECOND
    assert first(6_000, 15.0, 1.0) == 15.0 * (1 - JITTER), "the soonest of them are due again"
    assert first(6_000, 15.0, 0.5) == 7.5 * (1 - JITTER)


@pytest.mark.figures
def test_a_thousand_accounts_do_not_scan_in_step_neither_at_first_nor_later() -> None:
    rng, every, scans = random.Random(SEED), 60.0, 6_000  # noqa: S311 - a seed, not secrecy
    seconds = Counter[int]()
    for _ in range(scans):
        at = first(scans, every, rng.random())
        while at < 1200.0:
            seconds[int(at)] += 1
            at += jittered(every, rng.random())
    mean = seconds.total() / 1200.0
    print(
        f"seed {SEED}: {scans} entities every {every:.0f} s, {mean:.0f} scans a second; at most "
        f"{max(seconds.values())} in any, {max(seconds[each] for each in range(60))} in any of the first minute"
    )
    assert max(seconds.values()) <= 1.5 * mean  # chance alone: who is in step would come all at once
