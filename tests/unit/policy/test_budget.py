import random
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.policy.budget import BURST, FLOOR, Budget
from bridge.policy.sightings import Lane


def most_in_a_minute(times: list[float]) -> int:
    """The largest number of calls in any 60 seconds, ends included."""
    most, first = 0, 0
    for last, time in enumerate(times):
        while times[first] < time - 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def spend(budget: Budget, now: float, until: float, lane: Lane = Lane.COMMANDS) -> list[float]:
    """Call as fast as the budget allows."""
    taken = []
    while (now := budget.ready_at(now)) <= until:
        budget.take(now, lane)
        taken.append(now)
    return taken


def test_a_budget_begins_empty_and_grants_a_burst_after_a_rest() -> None:
    budget = Budget(170, 0.0)
    assert budget.ready_at(0.0) == pytest.approx(60 / 160)
    assert len(spend(budget, 60.0, 60.0)) == BURST


def test_a_full_minute_is_used_up_to_the_limit() -> None:
    budget = Budget(170, 0.0)
    assert most_in_a_minute(spend(budget, 30.0, 200.0)) == 170


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 180), st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40)), max_size=15))
@example(170, [(3.76, 0.0)] * 15)
def test_no_minute_holds_more_than_the_limit_over_any_restarts(limit: int, lives: list[tuple[float, float]]) -> None:
    """Each life rests, then spends all it can; the next begins at once, with a budget of its own."""
    now, times = 0.0, list[float]()
    for rest, busy in [(60.0, 1.0), *lives, (0.0, 70.0)]:
        times += spend(Budget(limit, now), now + rest, now + rest + busy)
        now += rest + busy
    assert most_in_a_minute(times) <= limit


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 180), st.lists(st.tuples(st.integers(0, 2), st.floats(0, 40), st.floats(0, 40)), max_size=15))
@example(170, [(number % 2, 0.0, 12.0) for number in range(8)])
def test_no_minute_holds_more_than_the_limit_when_the_account_changes_hands(
    limit: int, turns: list[tuple[int, float, float]]
) -> None:
    """Processes that live on take turns; each has rested while another spent all it could."""
    processes = [Budget(limit, -60.0) for _ in range(3)]
    now, times = 0.0, list[float]()
    for process, rest, busy in [*turns, (0, 0.0, 70.0)]:
        processes[process].forfeit(now)
        times += spend(processes[process], now + rest, now + rest + busy)
        now += rest + busy
    assert most_in_a_minute(times) <= limit


@pytest.mark.figures
def test_no_minute_holds_more_than_the_limit_in_random_use() -> None:
    rng = random.Random(5)  # noqa: S311 - a seed, not secrecy
    now, times, budget = 0.0, list[float](), Budget(170, 0.0)
    for _ in range(20_000):
        now += rng.choice([0.0, 0.01, 0.2, 3.0]) * rng.random()
        if budget.ready_at(now) <= now:
            budget.take(now, rng.choice(list(Lane)))
            times.append(now)
        if rng.random() < 0.001:
            budget = Budget(170, now)
    print(f"calls {len(times)}, most in any minute {most_in_a_minute(times)}")
    assert most_in_a_minute(times) <= 170


class Everything:
    """Chance, and what may happen to a budget, one thing after the other."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a seed, not secrecy
        self.now = self.rng.uniform(0.0, 1000.0)
        self.budget = Budget(self.rng.randint(2, 180), self.now)

    def happens(self) -> None:
        self.now += self.rng.choice([0.0, 0.3, 5.0]) * self.rng.random()
        match self.rng.randrange(6):
            case 0:
                self.budget.penalize(self.now)
            case 1:
                self.budget.forfeit(self.now)
            case _:
                self.call()

    def call(self) -> bool:
        if self.budget.ready_at(self.now) > self.now:
            return False
        self.budget.take(self.now, self.rng.choice(list(Lane)))
        return True


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 40))
def test_no_call_is_ever_made_before_the_soonest_that_was_told_of_it(seed: int, ahead: int) -> None:
    world = Everything(seed)
    for _ in range(30):
        world.happens()
    soonest, calls = world.budget.soonest(world.now, ahead), 0
    for _ in range(400):
        if world.rng.random() < 0.1:
            world.happens()
        calls += world.call()
        if calls > ahead:
            break
        world.now = world.budget.ready_at(world.now)
    assert calls > ahead
    assert world.now >= soonest - 1e-6


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 180), st.floats(0, 100), st.integers(0, 300))
def test_in_the_best_case_the_call_is_made_at_the_soonest(limit: int, rest: float, ahead: int) -> None:
    budget, now = Budget(limit, 0.0), rest
    soonest = budget.soonest(now, ahead)
    for _ in range(ahead + 1):
        now = budget.ready_at(now)
        budget.take(now, Lane.BULK)
    assert now == pytest.approx(soonest, abs=1e-3)


def test_a_call_that_is_not_granted_is_refused() -> None:
    with pytest.raises(ValueError, match="no call yet"):
        Budget(170, 0.0).take(0.1, Lane.POLLS)


def test_a_limit_that_grants_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="two calls"):
        Budget(1, 0.0)


def shares(waiting: set[Lane], calls: int = 1000) -> Counter[Lane]:
    budget, now, granted = Budget(170, 0.0), 0.0, Counter[Lane]()
    for _ in range(calls):
        now = budget.ready_at(now)
        lane = budget.choose(waiting)
        budget.take(now, lane)
        granted[lane] += 1
    return granted


def test_lanes_share_by_weight_what_is_granted() -> None:
    assert shares(set(Lane)) == {
        Lane.COMMANDS: 450,
        Lane.BULK: 50,
        Lane.POLLS: 350,
        Lane.CHECKS: 70,
        Lane.SNAPSHOTS: 50,
        Lane.SWEEPS: 30,
    }
    assert shares({Lane.POLLS, Lane.CHECKS})[Lane.POLLS] == 833


@pytest.mark.parametrize("lanes", [{Lane.COMMANDS}, {Lane.BULK}, {Lane.COMMANDS, Lane.BULK}])
def test_commands_get_their_half_whichever_they_are(lanes: set[Lane]) -> None:
    granted = shares(lanes | {Lane.POLLS, Lane.CHECKS, Lane.SNAPSHOTS, Lane.SWEEPS})
    assert sum(granted[lane] for lane in lanes) == 500
    assert sum(shares(lanes | {Lane.SNAPSHOTS})[lane] for lane in lanes) in {909, 910}


def test_a_lane_that_is_alone_takes_all() -> None:
    assert shares({Lane.CHECKS}) == {Lane.CHECKS: 1000}


def test_a_lane_that_was_away_has_no_claim_on_the_past() -> None:
    budget, now = Budget(170, 0.0), 0.0
    for _ in range(500):
        now = budget.ready_at(now)
        budget.take(now, Lane.POLLS)
    turns = []
    for _ in range(17):
        now = budget.ready_at(now)
        turns.append(budget.choose({Lane.COMMANDS, Lane.POLLS}))
        budget.take(now, turns[-1])
    assert turns.count(Lane.POLLS) in {6, 7, 8}


def test_a_429_empties_the_budget_slows_it_down_and_is_forgotten_slowly() -> None:
    budget = Budget(170, 0.0)
    budget.penalize(60.0)
    assert budget.ready_at(60.0) == pytest.approx(60 + 60 / 160 / 0.7)
    for second in range(61, 81):
        budget.penalize(float(second))
    assert budget.ready_at(80.0) == pytest.approx(80 + 60 / 160 / FLOOR, rel=0.05)
    assert len(spend(budget, 80.0, 140.0)) < 100
    spend(budget, 140.0, 440.0)
    assert 158 <= len(spend(budget, 440.0, 500.0)) <= 162


def test_calls_that_were_under_way_together_are_one_reason_to_slow_down() -> None:
    budget = Budget(170, 0.0)
    for _ in range(16):
        budget.penalize(60.0)
    assert budget.ready_at(60.0) == pytest.approx(60 + 60 / 160 / 0.7)


def test_use_of_the_last_minute_is_counted_by_lane() -> None:
    budget = Budget(170, 0.0)
    spend(budget, 0.0, 30.0, Lane.POLLS)
    spend(budget, 100.0, 100.0, Lane.CHECKS)
    assert budget.used(101.0) == dict.fromkeys(Lane, 0) | {Lane.CHECKS: 10}


def test_a_clock_that_has_run_for_years_grants_what_it_said_was_ready() -> None:
    """Its steps are wider than the last digits of a token."""
    now = 3.0e8
    budget = Budget(170, now)
    for _ in range(2000):
        now = budget.ready_at(now)
        budget.take(now, Lane.POLLS)
