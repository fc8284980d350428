"""SIGTERM under load: the bridge finishes what it has begun, leaves nothing in doubt, and goes on where it was."""

import asyncio
import json
import os
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from tests.faults.reading import everything
from tests.faults.replicas import GRACE_S
from tests.faults.running import Load, Run, running
from tests.faults.stage import SHARDS

STOPS = 2


async def _in_doubt(run: Run) -> list[str]:
    """Commands that the journal knows as attempted and not as finished."""
    journal = {
        record.key: record.value
        for record in await everything(run.stage.servers, [run.stage.names.journal], SHARDS)
        if record.value is not None
    }
    return [str(key) for key, value in journal.items() if json.loads(value or b"")["state"] == "attempt"]


@pytest.mark.figures
@pytest.mark.timeout(400)
async def test_a_stop_under_load_leaves_nothing_in_doubt(bootstrap_servers: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance, load = f"stop-{uuid4().hex[:8]}", Load(3.0, 1.0)
    async with running(bootstrap_servers, instance, tmp_path, seed=seed, replicas=1, accounts=4, load=load) as run:
        (bridge,) = run.stage.replicas
        for number in range(1, STOPS + 1):
            await asyncio.sleep(run.random.uniform(3, 9))
            waiting = len(run.unanswered())
            code, seconds = await bridge.stop()
            doubts = await _in_doubt(run)
            told = f"exit code {code} after {seconds:.1f} s, {waiting} unanswered, {len(doubts)} in doubt"
            run.say(f"stop {number}: {told}")
            run.verdict.wrong["in doubt"] += doubts
            if code != 0 or seconds > GRACE_S:
                run.verdict.wrong["unclean stops"].append(f"exit code {code} after {seconds:.1f} s")
            await bridge.start()
            await run.stage.working()
    print(run.verdict.told())
    assert run.verdict.figures["replies unknown"] == 0, f"seed {seed}"
    assert not run.verdict.faults(), run.verdict.complaint(seed)
