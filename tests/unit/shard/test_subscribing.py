"""Subscribing: now and then, sooner after trouble, and never forgetting what was made."""

import asyncio
from collections.abc import Collection

from bridge.policy.sightings import Trouble, Why
from bridge.policy.subscribing import Plan, Synced
from bridge.shard.subscribing import AFTER_TROUBLE_SECONDS, Subscribing
from tests.unit.shard.stage import ACCOUNT, Stage

DONE = Plan((), (), (), 0)
TROUBLE = Trouble(Why.RATE_LIMITED, "Too many requests", 429)


class Syncing:
    """Gives prepared outcomes, and notes when it was asked and with what."""

    def __init__(self, stage: Stage, *outcomes: Synced | Trouble) -> None:
        self.asked: list[tuple[float, tuple[int, ...]]] = []
        self.told: list[tuple[str, Plan | Trouble]] = []
        self._outcomes = outcomes
        self._stage = stage

    async def __call__(self, made: Collection[int]) -> Synced | Trouble:
        self.asked.append((asyncio.get_running_loop().time(), tuple(made)))
        return self._outcomes[len(self.asked) - 1]

    def flow(self, *, wanted: bool = True) -> Subscribing:
        def observe(account: str, outcome: Plan | Trouble) -> None:
            self.told.append((account, outcome))

        stage = self._stage
        return Subscribing(ACCOUNT, self, 600.0, observe, stage.ledger, stage.publishing(), wanted)


async def test_subscriptions_are_compared_at_once_and_now_and_then_and_sooner_after_trouble(stage: Stage) -> None:
    done = Synced(DONE, ())
    syncing = Syncing(stage, done, TROUBLE, TROUBLE, done)
    began = asyncio.get_running_loop().time()
    async with stage.at_work(plain=[syncing.flow()]):
        await asyncio.sleep(600.0 + 2 * AFTER_TROUBLE_SECONDS + 1)
    assert [round(at - began) for at, _ in syncing.asked] == [
        0,
        600,
        600 + AFTER_TROUBLE_SECONDS,
        600 + 2 * AFTER_TROUBLE_SECONDS,
    ]
    assert syncing.told == [(ACCOUNT, DONE), (ACCOUNT, TROUBLE), (ACCOUNT, TROUBLE), (ACCOUNT, DONE)]


async def test_what_was_made_is_remembered_over_a_restart(stage: Stage) -> None:
    syncing = Syncing(stage, Synced(DONE, (7, 8)), Synced(DONE, (8,)))
    for _ in range(2):
        async with stage.at_work(plain=[syncing.flow()]):
            await asyncio.sleep(1)
    assert [made for _, made in syncing.asked] == [(), (7, 8)]
    assert stage.cursor(f"subscriptions/{ACCOUNT}")["ids"] == [8]


async def test_without_an_address_what_was_made_is_removed_and_then_nothing_is_asked(stage: Stage) -> None:
    syncing = Syncing(stage, Synced(DONE, (7,)), Synced(DONE, ()))
    async with stage.at_work(plain=[syncing.flow()]):
        await asyncio.sleep(1)
    async with stage.at_work(plain=[syncing.flow(wanted=False)]):
        await asyncio.sleep(2000)
    assert [made for _, made in syncing.asked] == [(), (7,)]
    assert stage.cursor(f"subscriptions/{ACCOUNT}") is None
