"""SIGSTOP between a journaled attempt and its call: whoever wakes up as a zombie must not write to Copper any more."""

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer

from tests.faults.reading import everything, reader
from tests.faults.replicas import Replica
from tests.faults.running import Load, Run, running
from tests.faults.stage import SESSION_S, SHARDS

PAUSES = 2
LONG = 20
"""How much longer the nightly form is."""
WINDOW_S = 0.005
"""About what passes from an attempt's first byte in the log to the call at Copper."""
CALLED_S = 0.5
"""After which a call that was sent has had its effect."""
LATE_S = 30
"""The new owner may be slow: its budget begins empty."""
TAKEN_OVER_S = SESSION_S + 9
"""Until the other replica has taken over, waited, looked and done what was in doubt."""


def _pause_at_an_attempt(consumer: Consumer, shards: list[int], pid: int, delay_s: float) -> str | None:
    """Stop the process a moment after its journal, uncommitted records too, shows an attempt; the command's key."""
    while (message := consumer.poll(10)) is not None:
        value = message.value()
        if value and message.partition() in shards and _may_be_repeated(json.loads(value)):
            time.sleep(delay_s)
            os.kill(pid, signal.SIGSTOP)
            return bytes(message.key() or b"").decode()
    return None


def _may_be_repeated(entry: dict[str, Any]) -> bool:
    """Whether it is an attempt that the next owner makes again when Copper shows nothing of it."""
    return bool(entry["state"] == "attempt" and entry["action"].endswith((".update", ".upsert")))


async def _pause(run: Run, consumer: Consumer, number: int, victim: Replica) -> None:
    """One pause, and whether its command had another effect when the victim woke."""
    shards = await victim.open_shards(run.stage.session)
    assert shards is not None
    await asyncio.to_thread(consumer.consume, 1000, 0.5)
    delay_s, pid = run.random.uniform(0, WINDOW_S), victim.running.pid
    key = await asyncio.to_thread(_pause_at_an_attempt, consumer, shards, pid, delay_s)
    assert key is not None, "no attempt was journaled"
    truth = next(truth for truth in run.truths if truth.account.name == key.partition("/")[0])
    sent = truth.callers.sent[key.partition("/")[2]]
    await asyncio.sleep(CALLED_S)
    called = len(truth.effects(sent))
    journal = await everything(run.stage.servers, [run.stage.names.journal], SHARDS)
    between = called == 0 and key.encode() in {record.key for record in journal}
    await asyncio.sleep(TAKEN_OVER_S)
    with contextlib.suppress(TimeoutError):  # what the new owner does late must not pass for the zombie's
        async with asyncio.timeout(LATE_S):
            while not truth.effects(sent):  # noqa: ASYNC110 - the double tells nobody
                await asyncio.sleep(0.1)
    done = len(truth.effects(sent))
    victim.resume()
    await asyncio.sleep(CALLED_S)
    await run.stage.working()
    after = len(truth.effects(sent))
    hit = "between the attempt and its call" if between else f"beside it, after {called} effects"
    run.say(
        f"pause {number} of {victim.name}, {delay_s * 1000:.1f} ms, {hit}; effects {done}, {after} when it woke: {sent}"
    )
    run.verdict.figures["pauses between an attempt and its call"] += between
    if after > done:
        run.verdict.wrong["written by a zombie"].append(str(sent))


async def _suffer(servers: str, directory: Path, pauses: int) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance, load = f"pause-{uuid4().hex[:8]}", Load(0.5, 1.0)
    async with running(servers, instance, directory, seed=seed, replicas=2, accounts=4, load=load) as run:
        options = {"isolation.level": "read_uncommitted", "fetch.wait.max.ms": 5, "auto.offset.reset": "latest"}
        async with reader(run.stage.servers, [run.stage.names.journal], SHARDS, **options) as consumer:
            for number in range(1, pauses + 1):
                await run.stage.working()
                await _pause(run, consumer, number, run.random.choice(run.stage.replicas))
    print(run.verdict.told())
    assert not run.verdict.faults(), run.verdict.complaint(seed)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(400)
async def test_a_replica_that_was_paused_before_its_call_does_not_make_it(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    await _suffer(bootstrap_servers, tmp_path, PAUSES)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_a_replica_that_was_paused_many_times_before_its_call_never_makes_it(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    await _suffer(bootstrap_servers, tmp_path, LONG * PAUSES)
