"""An account under more than it can do, for many seeds, in virtual time: who gets what, and what storms of 429 do."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from bridge.copper.budgeting import Allowance
from bridge.policy import outcomes
from bridge.policy.budget import RECOVERY_SECONDS, Budget
from bridge.policy.sightings import Lane
from bridge.sandbox.copper.limits import Window, most_in_any
from bridge.shard.turns import Turns

SEEDS = range(4)
COPPERS_LIMIT, PER_MINUTE, PLACES = 180, 170, 16
ENTITIES = ("companies", "people", "leads", "opportunities", "tasks", "projects")
POLL_EVERY = 15.0
LASTING = 240.0
FLOOD = 10 * round(PER_MINUTE * LASTING / 60)
"""Ten times what the budget can do meanwhile."""
STORM = (60.0, 360.0)


class Busy:
    """One account's budget and places, and a Copper that takes its time. Others may use up what Copper allows."""

    def __init__(self, seed: int) -> None:
        loop = asyncio.get_running_loop()
        self.began, self.time = loop.time(), loop.time
        self.rng = random.Random(seed)  # noqa: S311 - a seed, not secrecy
        self.allowance = Allowance(Budget(PER_MINUTE, self.began))
        self.turns = Turns(PLACES)
        self.window = Window(60.0)
        self.limit = COPPERS_LIMIT
        self.calls: list[tuple[float, Lane, str, bool]] = []
        """When, for whom, about what, and whether Copper took it."""

    @property
    def now(self) -> float:
        return self.time() - self.began

    async def call(self, lane: Lane, kind: str) -> bool:
        await self.allowance.grant(lane, kind)
        taken = self.window.admit(self.now, self.limit)
        self.calls.append((self.now, lane, kind, taken))
        if not taken:
            self.allowance.penalize(None)
        await asyncio.sleep(self.rng.uniform(0.1, 1.0))
        return taken

    async def command(self, lane: Lane, kind: str) -> float:
        """Carried out as `shard.attempting` does it; how long it took."""
        began, failures = self.now, 0
        while True:
            async with self.turns.turn(lane, kind):
                if await self.call(lane, kind):
                    return self.now - began
            await asyncio.sleep(outcomes.pause(failures, self.rng.random()))
            failures += 1

    async def polls(self, kind: str) -> None:
        while True:
            await self.call(Lane.POLLS, kind)
            await asyncio.sleep(POLL_EVERY)

    async def pages(self, lane: Lane, kind: str) -> None:
        """Calls without end, one after the other."""
        while True:
            await self.call(lane, kind)

    def between(self, first: float, last: float) -> Counter[Lane]:
        return Counter(lane for at, lane, _, _ in self.calls if first <= at < last)

    async def during(self, seconds: float, *work: Awaitable[object]) -> None:
        tasks = [asyncio.ensure_future(each) for each in work]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _worst(figures: list[float], worst: Callable[[list[float]], float] = max) -> str:
    return f"{worst(figures):.2f}"


def _within_the_limit(busy: Busy) -> bool:
    return most_in_any(60.0, (at for at, *_ in busy.calls)) <= PER_MINUTE


@pytest.mark.figures
@pytest.mark.parametrize("lanes", [(Lane.COMMANDS,), (Lane.BULK,), (Lane.COMMANDS, Lane.BULK)])
async def test_commands_that_back_up_keep_their_half_under_a_snapshot_and_everything_else(
    lanes: tuple[Lane, ...],
) -> None:
    shares = []
    for seed in SEEDS:
        busy = Busy(seed)
        await busy.during(
            LASTING,
            *(busy.command(busy.rng.choice(lanes), busy.rng.choice(ENTITIES)) for _ in range(FLOOD)),
            *(busy.pages(lane, kind) for lane in (Lane.SNAPSHOTS, Lane.SWEEPS, Lane.CHECKS) for kind in ENTITIES),
            *(busy.polls(kind) for kind in ENTITIES),
        )
        granted = busy.between(0.0, LASTING)
        shares.append(sum(granted[lane] for lane in lanes) / granted.total())
        assert _within_the_limit(busy)
    print(f"seeds {len(SEEDS)}, {' and '.join(lanes)}: least share of the calls {_worst(shares, min)}")
    assert min(shares) >= 0.5


@pytest.mark.figures
async def test_polls_keep_their_interval_and_bulk_moves_under_ten_times_the_commands_that_can_be_made() -> None:
    intervals, bulk, waits = [], [], list[float]()
    for seed in SEEDS:
        busy = Busy(seed)

        async def now_and_then(busy: Busy = busy) -> None:
            """A person at work, in a topic of its own."""
            while True:
                await asyncio.sleep(busy.rng.uniform(2.0, 8.0))
                waits.append(await busy.command(Lane.COMMANDS, "leads"))

        await busy.during(
            LASTING,
            *(
                busy.command(busy.rng.choice((Lane.COMMANDS, Lane.BULK)), busy.rng.choice(("companies", "tasks")))
                for _ in range(FLOOD)
            ),
            *(busy.polls(kind) for kind in ENTITIES),
            now_and_then(),
        )
        for kind in ENTITIES:
            at = [at for at, lane, about, _ in busy.calls if (lane, about) == (Lane.POLLS, kind)]
            intervals += [later - earlier for earlier, later in pairwise(at)]
        granted = busy.between(0.0, LASTING)
        bulk.append(granted[Lane.BULK] / (granted[Lane.BULK] + granted[Lane.COMMANDS]))
        assert _within_the_limit(busy)
    waits.sort()
    print(
        f"seeds {len(SEEDS)}: longest interval of polls {_worst(intervals)} s for {POLL_EVERY} s, bulk's share of "
        f"commands {_worst(bulk, min)} at least, an interactive command of another topic took "
        f"{waits[len(waits) // 2]:.2f} s (p50), {waits[len(waits) * 99 // 100]:.2f} s (p99)"
    )
    assert max(intervals) <= 2 * POLL_EVERY
    assert min(bulk) >= 0.08
    assert waits[len(waits) * 99 // 100] < 5.0


async def _refusing(busy: Busy) -> None:
    await asyncio.sleep(STORM[0])
    busy.limit = 0
    await asyncio.sleep(STORM[1] - STORM[0])
    busy.limit = COPPERS_LIMIT


@pytest.mark.figures
async def test_a_storm_of_429_slows_the_account_down_and_it_recovers() -> None:
    refused, during, after, crowds = [], [], [], list[float]()
    for seed in SEEDS:
        busy, end = Busy(seed), STORM[1] + RECOVERY_SECONDS
        await busy.during(
            end + 60.0,
            _refusing(busy),
            *(busy.command(Lane.COMMANDS, busy.rng.choice(ENTITIES)) for _ in range(3 * PER_MINUTE * 12)),
            *(busy.polls(kind) for kind in ENTITIES),
        )
        # The first minute is that in which the pace falls.
        stormy = [taken for at, _, _, taken in busy.calls if STORM[0] + 60.0 <= at < STORM[1]]
        refused.append(stormy.count(False) / len(stormy))
        during.append(len(stormy) / ((STORM[1] - STORM[0]) / 60.0 - 1.0))
        after.append(float(busy.between(end, end + 60.0).total()))
        at = [at for at, *_ in busy.calls if STORM[0] + 5.0 <= at < STORM[1]]
        crowds.append(float(most_in_any(1.0, at)))
        assert _within_the_limit(busy)
    print(
        f"seeds {len(SEEDS)}: in the storm {_worst(during)} calls a minute at most, {_worst(refused)} of them refused, "
        f"{_worst(crowds)} in any second; from {RECOVERY_SECONDS:.0f} s after it {_worst(after, min)} a minute at least"
    )
    assert max(during) < PER_MINUTE * 0.6
    assert max(crowds) <= 5
    assert min(after) >= 150


async def _spending(busy: Busy, per_minute: float) -> None:
    """Somebody else calls from the same limit, and minds neither it nor refusals."""
    await asyncio.sleep(STORM[0])
    while busy.now < STORM[1]:
        busy.window.admit(busy.now, None)
        await asyncio.sleep(60.0 / per_minute)


@pytest.mark.figures
@pytest.mark.parametrize("others", [60.0, 150.0, 400.0])
async def test_an_account_that_others_spend_from_takes_what_they_leave_and_all_of_it_again_after_them(
    others: float,
) -> None:
    refused, made, after = [], [], []
    for seed in SEEDS:
        busy, end = Busy(seed), STORM[1] + RECOVERY_SECONDS
        await busy.during(
            end + 60.0,
            _spending(busy, others),
            *(busy.command(Lane.COMMANDS, busy.rng.choice(ENTITIES)) for _ in range(3 * PER_MINUTE * 12)),
            *(busy.polls(kind) for kind in ENTITIES),
        )
        theirs = [taken for at, _, _, taken in busy.calls if STORM[0] + 60.0 <= at < STORM[1]]
        minutes = (STORM[1] - STORM[0]) / 60.0 - 1.0
        refused.append(theirs.count(False) / minutes)
        made.append(theirs.count(True) / minutes)
        after.append(float(busy.between(end, end + 60.0).total()))
        assert _within_the_limit(busy)
    print(
        f"seeds {len(SEEDS)}: beside {others:.0f} calls a minute of others {_worst(made, min)} calls a minute taken at "
        f"least, {_worst(refused)} refused at most; after them {_worst(after, min)} a minute at least"
    )
    assert min(made) >= 0.6 * max(0.0, COPPERS_LIMIT - others)
    assert max(refused) <= 20
    assert min(after) >= 150
