"""Waiting for the budget."""

import asyncio
from collections.abc import Collection

from bridge.copper.budgeting import Allowance
from bridge.policy.sightings import Lane


class Steady:
    """A pace of one call every so often, lanes in the order of their definition; counts what it is asked."""

    def __init__(self, every: float, *, start: float = 0.0) -> None:
        self.every = every
        self.next = start
        self.taken: list[tuple[float, Lane]] = []
        self.asked = 0
        self.penalties = 0

    def ready_at(self, now: float) -> float:
        self.asked += 1
        return max(now, self.next)

    def choose(self, waiting: Collection[Lane]) -> Lane:
        return min(waiting, key=list(Lane).index)

    def take(self, now: float, lane: Lane) -> None:
        assert now >= self.next
        self.next = now + self.every
        self.taken.append((now, lane))

    def penalize(self, now: float) -> None:
        assert now >= 0
        self.penalties += 1


def lanes(pace: Steady) -> list[Lane]:
    return [lane for _, lane in pace.taken]


async def test_what_is_free_is_granted_at_once() -> None:
    pace = Steady(0.0)
    await Allowance(pace).grant(Lane.POLLS)

    assert lanes(pace) == [Lane.POLLS]


async def test_those_who_wait_are_served_as_the_policy_chooses_and_in_order_within_a_lane() -> None:
    pace = Steady(0.01, start=asyncio.get_running_loop().time() + 0.02)
    allowance, order = Allowance(pace), []

    async def caller(lane: Lane, number: int) -> None:
        await allowance.grant(lane)
        order.append((lane, number))

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            for lane in (Lane.CHECKS, Lane.POLLS, Lane.COMMANDS):
                group.create_task(caller(lane, number))

    assert order == [(lane, number) for lane in Lane for number in range(3)]
    assert all(later - earlier >= 0.01 for (earlier, _), (later, _) in zip(pace.taken, pace.taken[1:], strict=False))


async def test_waiting_asks_the_policy_only_when_something_has_changed() -> None:
    pace = Steady(0.0, start=asyncio.get_running_loop().time() + 0.2)
    await Allowance(pace).grant(Lane.POLLS)

    assert pace.asked <= 3


async def test_a_caller_that_is_cancelled_takes_nothing_and_holds_nobody_up() -> None:
    pace = Steady(0.01, start=asyncio.get_running_loop().time() + 0.02)
    allowance = Allowance(pace)
    first, second, third = (asyncio.create_task(allowance.grant(Lane.POLLS)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await third

    assert first.cancelled()
    assert second.cancelled()
    assert len(pace.taken) == 1
    assert set(allowance.waiting().values()) == {0}


async def test_a_grant_that_meets_a_cancellation_is_spent_and_the_next_is_still_served() -> None:
    loop = asyncio.get_running_loop()
    ready = loop.time() + 0.02
    pace = Steady(0.0, start=ready)
    allowance = Allowance(pace)
    task = asyncio.create_task(allowance.grant(Lane.POLLS))
    await asyncio.sleep(0)
    loop.call_at(ready + 1e-6, task.cancel)  # in the same turn of the loop as the grant, before the caller goes on
    await asyncio.wait([task])
    await allowance.grant(Lane.COMMANDS)

    assert task.cancelled()
    assert lanes(pace) == [Lane.POLLS, Lane.COMMANDS]


async def test_a_429_is_told_to_the_policy_and_its_wait_is_kept() -> None:
    pace = Steady(0.0)
    allowance = Allowance(pace)
    allowance.penalize(0.05)
    allowance.penalize(None)
    began = asyncio.get_running_loop().time()
    await allowance.grant(Lane.COMMANDS)

    assert pace.penalties == 2
    assert pace.taken[0][0] - began >= 0.04
