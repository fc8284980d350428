"""Accounts with more to do than their budget allows, over real HTTP and Kafka: what each lane gets of the calls."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest

from bridge.sandbox.copper import CopperDouble
from bridge.sandbox.copper.limits import Call, most_in_any
from tests.integration.bridge.stage import ENTITIES, Stage, eventually, stage

FLOODED, LOADING = "flooded", "loading"
SEED = 7
RECORDS = 12_000
"""More than a snapshot that is alone could read while the test looks."""
FLOOD = 1_000
"""Commands, ten times what the budget can do while the test looks."""
PER_MINUTE = 170
POLL_EVERY_S = 8.0
SETTLING_S, LOOKING_S = 12.0, 34.0
"""Until what was saved up of the budget is spent; and what is judged after it."""


@pytest.fixture(scope="module")
async def busy(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    def furnish(copper: CopperDouble) -> None:
        copper.account(LOADING).load("task", [{"name": f"old {n}"} for n in range(RECORDS)])
        for name in (FLOODED, LOADING):
            copper.account(name).load("opportunity", [{"name": f"deal {n}"} for n in range(50)])

    directory = tmp_path_factory.mktemp("busy")
    events = {"poll_every": f"{POLL_EVERY_S:g}s"}
    patient = {"timeout": "20s"}  # all runs in this one process: what is slow here is no fault of Copper's
    accounts = [FLOODED, LOADING]
    async with stage(bootstrap_servers, directory, accounts, before=furnish, events=events, copper=patient) as play:
        yield play


async def _flood(play: Stage, account: str, rng: random.Random) -> None:
    ids = [record["id"] for record in play.account(account).records("opportunity")]
    for _ in range(0, FLOOD, 50):
        await asyncio.gather(*(_command(play, account, rng.choice(ids), rng) for _ in range(50)))


async def _command(play: Stage, account: str, record_id: int, rng: random.Random) -> None:
    lane = rng.choice(["interactive", "bulk"])
    if rng.random() < 0.5:
        await play.command(account, "opportunity", "get", record_id=record_id, lane=lane)
    else:
        await play.command(account, "opportunity", "update", record_id=record_id, data={"details": "x"}, lane=lane)


def _commands_share(calls: list[Call]) -> float:
    """What names a record is a command's call: a snapshot and polls search."""
    return sum(call.template == "/opportunities/{id}" for call in calls) / len(calls)


def _longest_intervals(calls: list[Call]) -> dict[str, float]:
    polls: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        if call.template.endswith("/search"):
            polls[call.template].append(call.at)
    return {template: max(later - earlier for earlier, later in pairwise(at)) for template, at in polls.items()}


@pytest.mark.figures
async def test_a_flood_of_commands_leaves_polls_their_interval_and_a_snapshot_leaves_commands_their_half(
    busy: Stage,
) -> None:
    rng = random.Random(SEED)  # noqa: S311 - a seed, not secrecy
    await asyncio.gather(_flood(busy, FLOODED, rng), _flood(busy, LOADING, rng))
    judged_from = busy.copper.calls[-1].at + SETTLING_S
    await eventually(lambda: busy.copper.calls[-1].at >= judged_from + LOOKING_S)
    calls = {name: [call for call in busy.calls(name) if call.at >= judged_from] for name in (FLOODED, LOADING)}
    share, intervals = _commands_share(calls[LOADING]), _longest_intervals(calls[FLOODED])
    most = max(most_in_any(60.0, (call.at for call in busy.calls(name))) for name in calls)
    print(
        f"seed {SEED}: under a snapshot of {RECORDS} records commands made {share:.2f} of {len(calls[LOADING])} calls; "
        f"under {FLOOD} commands polls came every {max(intervals.values()):.1f} s at most for {POLL_EVERY_S:.0f} s, in "
        f"{len(calls[FLOODED])} calls; most calls in any 60 s {most}"
    )
    assert share >= 0.5
    assert len(intervals) == len(ENTITIES)
    assert max(intervals.values()) <= 2 * POLL_EVERY_S
    assert most <= PER_MINUTE
