"""A rolling restart of three replicas under load: nothing lost, nothing doubled, no shard stands still for long."""

import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.replicas import GRACE_S
from tests.faults.running import Load, Run, running
from tests.faults.stage import SHARDS

LONGEST_PAUSE_S = 60.0
"""Of a shard, on a machine that is busy with other tests; the figure is what counts."""


def _pauses(lines: Iterable[dict[str, Any]]) -> dict[int, float]:
    """Shard to the longest time between the end of a session and the next one's opening, in any replica, in seconds."""
    told = sorted((line["ts"], line) for line in lines if line["event"] in {"session.opened", "session.ended"})
    ended: dict[int, datetime] = {}
    longest: dict[int, float] = defaultdict(float)
    for ts, line in told:
        if line["event"] == "session.ended":
            ended[line["shard"]] = datetime.fromisoformat(ts)
        elif line["shard"] in ended:
            pause = datetime.fromisoformat(ts) - ended.pop(line["shard"])
            longest[line["shard"]] = max(longest[line["shard"]], pause.total_seconds())
    return longest


async def _restart(run: Run, number: int) -> None:
    """Stop one, start it again, and go on to the next when everybody is ready: as a StatefulSet does."""
    replica = run.stage.replicas[number]
    owned = await replica.open_shards(run.stage.session)
    code, seconds = await replica.stop()
    run.say(f"{replica.name}, at work on {owned}, ended with {code} after {seconds:.1f} s")
    run.verdict.figures["stops of a replica at work"] += bool(owned)
    if code != 0 or seconds > GRACE_S:
        run.verdict.wrong["unclean stops"].append(f"{replica.name}: exit code {code} after {seconds:.1f} s")
    await replica.start()
    await run.stage.working()


@pytest.mark.figures
@pytest.mark.timeout(400)
async def test_a_rolling_restart_loses_and_doubles_nothing_and_stops_no_shard_for_long(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance, load = f"rolling-{uuid4().hex[:8]}", Load(3.0, 1.0)
    async with running(bootstrap_servers, instance, tmp_path, seed=seed, replicas=3, accounts=4, load=load) as run:
        for number in range(len(run.stage.replicas)):
            await _restart(run, number)
        lines = [line for replica in run.stage.replicas for line in replica.lines()]
    print(run.verdict.told())
    pauses = _pauses(lines)
    moved = [line for line in lines if line["event"] == "session.ended" and line["how"] == "lost"]
    drained = sum(line["detail"] == "drained" for line in moved)
    longest = max(pauses.values(), default=0.0)
    print(
        f"longest pause of any shard: {longest:.1f} s; moved between living replicas: {len(moved)}, drained: {drained}"
    )
    assert len(pauses) == SHARDS, f"seed {seed}"
    assert longest < LONGEST_PAUSE_S, f"seed {seed}"
    assert not run.verdict.faults(), run.verdict.complaint(seed)
