"""Waiting for the budget."""

import asyncio

from bridge.copper.budgeting import Allowance
from bridge.policy.budget import BURST, Budget
from bridge.policy.sightings import Lane

FAST = 6000
"""Calls per minute: one every 10 ms."""


class Watched(Budget):
    """A budget that notes what it grants and counts how often it is asked."""

    def __init__(self, per_minute: int = FAST) -> None:
        super().__init__(per_minute, asyncio.get_running_loop().time())
        self.asked = 0
        self.granted: list[tuple[float, Lane]] = []

    def ready_at(self, now: float) -> float:
        self.asked += 1
        return super().ready_at(now)

    def take(self, now: float, lane: Lane) -> None:
        super().take(now, lane)
        self.granted.append((now, lane))

    def lanes(self) -> list[Lane]:
        return [lane for _, lane in self.granted]


async def test_those_who_wait_are_served_at_the_pace_of_the_policy() -> None:
    budget = Watched()
    allowance, began = Allowance(budget), asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(allowance.grant(Lane.POLLS, "companies"))

    assert budget.granted[-1][0] - began >= 8 / ((FAST - BURST) / 60) - 1e-6


async def test_lanes_share_as_the_policy_chooses_and_each_is_in_order() -> None:
    budget = Watched()
    allowance, order = Allowance(budget), list[tuple[Lane, int]]()

    async def caller(lane: Lane, number: int) -> None:
        await allowance.grant(lane, "companies")
        order.append((lane, number))

    async with asyncio.TaskGroup() as group:
        for number in range(13):
            group.create_task(caller(Lane.CHECKS, number))
            group.create_task(caller(Lane.COMMANDS, number))

    assert budget.lanes()[:13].count(Lane.COMMANDS) == 11
    for lane in (Lane.CHECKS, Lane.COMMANDS):
        assert [number for each, number in order if each is lane] == list(range(13))


async def test_waiting_asks_the_policy_only_when_something_may_have_changed() -> None:
    budget = Watched(per_minute=300)
    await Allowance(budget).grant(Lane.POLLS, "companies")

    assert budget.asked <= 4


async def test_a_caller_that_is_cancelled_takes_nothing_and_holds_nobody_up() -> None:
    budget = Watched()
    allowance = Allowance(budget)
    first, second, third = (asyncio.create_task(allowance.grant(Lane.POLLS, "companies")) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await third

    assert first.cancelled()
    assert second.cancelled()
    assert len(budget.granted) == 1
    assert set(allowance.waiting().values()) == {0}


async def test_a_grant_that_meets_a_cancellation_is_spent_and_the_next_is_still_served() -> None:
    budget = Watched()
    allowance, loop = Allowance(budget), asyncio.get_running_loop()
    task = asyncio.create_task(allowance.grant(Lane.POLLS, "companies"))
    await asyncio.sleep(0)
    # In the same turn of the loop as the grant, before the caller goes on: within the resolution of its clock.
    loop.call_at(budget.ready_at(loop.time()) + 1e-10, task.cancel)
    await asyncio.wait([task])
    await allowance.grant(Lane.COMMANDS, "companies")

    assert task.cancelled()
    assert budget.lanes() == [Lane.POLLS, Lane.COMMANDS]


async def test_a_429_slows_the_policy_down_and_its_wait_is_kept() -> None:
    budget, loop = Watched(), asyncio.get_running_loop()
    allowance = Allowance(budget)
    unhindered = budget.ready_at(loop.time())
    allowance.penalize(None)
    slower = budget.ready_at(loop.time())
    allowance.penalize(0.08)
    began = loop.time()
    await allowance.grant(Lane.COMMANDS, "companies")

    assert slower > unhindered
    assert budget.granted[0][0] - began >= 0.079


async def test_what_was_granted_within_the_last_minute_is_told_by_lane() -> None:
    allowance = Allowance(Watched())
    for lane in (Lane.POLLS, Lane.COMMANDS, Lane.POLLS):
        await allowance.grant(lane, "companies")
    used = allowance.used()
    assert (used[Lane.POLLS], used[Lane.COMMANDS], sum(used.values())) == (2, 1, 3)


async def test_while_all_are_held_only_who_goes_ahead_is_granted_and_then_everybody_in_order() -> None:
    budget, order = Watched(), list[int]()
    allowance = Allowance(budget)

    async def caller(number: int) -> None:
        await allowance.grant(Lane.POLLS, "companies")
        order.append(number)

    allowance.hold()
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(caller(number))
        await asyncio.sleep(60)
        await allowance.grant_ahead(Lane.CHECKS)
        assert (budget.lanes(), order) == ([Lane.CHECKS], [])
        allowance.release()
    assert (budget.lanes(), order) == ([Lane.CHECKS, *[Lane.POLLS] * 3], [0, 1, 2])


async def test_who_goes_ahead_waits_for_the_budget_but_for_nobody_else() -> None:
    budget = Watched()
    allowance = Allowance(budget)
    waiting = [asyncio.create_task(allowance.grant(Lane.COMMANDS, "companies")) for _ in range(5)]
    await asyncio.sleep(0)
    await allowance.grant_ahead(Lane.CHECKS)
    cancelled = asyncio.create_task(allowance.grant_ahead(Lane.CHECKS))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait(waiting)

    assert budget.lanes() == [Lane.CHECKS, *[Lane.COMMANDS] * 5]
