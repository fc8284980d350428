import asyncio

from bridge.policy.sightings import Trouble, Why
from bridge.policy.subscribing import Plan
from bridge.shard.subscribing import AFTER_TROUBLE_SECONDS, Subscribing

DONE = Plan((), (), (), 0)
TROUBLE = Trouble(Why.RATE_LIMITED, "Too many requests", 429)


async def test_subscriptions_are_compared_at_once_and_now_and_then_and_sooner_after_trouble() -> None:
    answers: list[Plan | Trouble] = [DONE, TROUBLE, TROUBLE, DONE]
    at: list[float] = []
    told: list[tuple[str, Plan | Trouble]] = []

    async def sync() -> Plan | Trouble:
        at.append(asyncio.get_running_loop().time())
        return answers[len(at) - 1]

    began = asyncio.get_running_loop().time()
    flow = Subscribing("acme", sync, 600.0, lambda account, outcome: told.append((account, outcome)))
    running = asyncio.create_task(flow.run())
    await asyncio.sleep(600.0 + 2 * AFTER_TROUBLE_SECONDS + 1)
    running.cancel()
    assert [each - began for each in at] == [
        0.0,
        600.0,
        600.0 + AFTER_TROUBLE_SECONDS,
        600.0 + 2 * AFTER_TROUBLE_SECONDS,
    ]
    assert told == [("acme", answer) for answer in answers]
