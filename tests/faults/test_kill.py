"""Kill -9 and SIGSTOP under load, against a real Kafka: nothing lost, nothing doubled, one true reply per command."""

import asyncio
import os
from http import HTTPStatus
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from tests.faults.running import Load, Run, running
from tests.faults.stage import SESSION_S

KILLS = 8
STOPS = 2
AIMED = 0.7
"""Share of kills that are aimed at what follows an answer of Copper's; the others come at any moment."""
TRANSACTION_S = 0.03
LONG = 35
"""How much longer the nightly form is."""


async def _kill(run: Run, number: int) -> None:
    """Kill one at a random moment and start it again: at once, soon, or after the other has taken over."""
    victim = run.random.choice(run.stage.replicas)
    owned = await victim.open_shards(run.stage.session)
    aimed = run.random.random() < AIMED and await _answered(run, owned or [])
    await victim.kill()
    pause = run.random.choice([0.0, run.random.uniform(0, 2), SESSION_S + run.random.uniform(0, 2)])
    run.say(f"kill {number} of {victim.name}, at work on {owned}{' with an answer' * aimed}, again after {pause:.1f} s")
    run.verdict.figures["kills"] += 1
    run.verdict.figures["kills just after an answer of Copper's"] += aimed
    run.verdict.figures["kills of a replica at work"] += bool(owned)
    await asyncio.sleep(pause)
    await victim.start()


async def _answered(run: Run, shards: list[int]) -> bool:
    """Wait until a call of one of these shards has been answered, and a moment more: a transaction is likely now."""
    accounts = {name for name, shard in run.stage.shards.items() if shard in shards}
    calls, seen = run.stage.copper.calls, len(run.stage.copper.calls)
    answered = await run.until(
        lambda: any(call.status == HTTPStatus.OK and call.account in accounts for call in calls[seen:]), 2, look_s=0.001
    )
    await asyncio.sleep(run.random.uniform(0, TRANSACTION_S))
    return answered


async def _stop(run: Run, number: int) -> None:
    """Pause one until long after its session has ended, and let it go on as a zombie."""
    await run.stage.working()
    victim = run.random.choice(run.stage.replicas)
    owned = await victim.open_shards(run.stage.session)
    victim.pause()
    pause = 2 * SESSION_S + run.random.uniform(0, 4)
    run.say(f"stop {number} of {victim.name}, at work on {owned}, for {pause:.1f} s")
    run.verdict.figures["stops"] += 1
    run.verdict.figures["stops of a replica at work"] += bool(owned)
    await asyncio.sleep(pause)
    victim.resume()


async def _suffer(servers: str, directory: Path, kills: int, stops: int) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance = f"kill-{uuid4().hex[:8]}"
    async with running(servers, instance, directory, seed=seed, replicas=2, accounts=4, load=Load(3.0, 0.6)) as run:
        deeds = [_kill] * kills + [_stop] * stops
        run.random.shuffle(deeds)
        for number, deed in enumerate(deeds, 1):
            await asyncio.sleep(run.random.uniform(0.5, 9))
            await deed(run, number)
        await run.stage.working()
    print(run.verdict.told())
    assert not run.verdict.faults(), run.verdict.complaint(seed)


@pytest.mark.figures
@pytest.mark.timeout(600)
async def test_kills_and_pauses_lose_double_and_disorder_nothing(bootstrap_servers: str, tmp_path: Path) -> None:
    await _suffer(bootstrap_servers, tmp_path, KILLS, STOPS)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_hundreds_of_kills_lose_double_and_disorder_nothing(bootstrap_servers: str, tmp_path: Path) -> None:
    await _suffer(bootstrap_servers, tmp_path, LONG * KILLS, LONG * STOPS)
