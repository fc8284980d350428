"""Several accounts in one process, and one of them misbehaves: what the events of the others notice of it.

`tests/unit/shard/test_isolation.py` asserts the same exactly; here are real parts, and figures.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count, islice

import pytest
import structlog

from bridge.contract.control import Asked, Control, encode_control
from bridge.contract.sharding import shard_of
from bridge.sandbox.copper import Fault
from bridge.sandbox.copper.limits import most_in_any
from bridge.telemetry import logs
from tests.integration.bridge.stage import ENTITIES, SHARDS, Stage, stage

SEED = 7
EVERY_S = 2.0
FOLLOWED = ("lead", "task")
BAD, *BESIDE = islice((name for name in (f"house-{n}" for n in count()) if shard_of(name, SHARDS) == 0), 3)
ELSEWHERE = next(name for name in (f"house-{n}" for n in count()) if shard_of(name, SHARDS) == 1)
GOOD = (*BESIDE, ELSEWHERE)
"""Two of the same shard, one of another in the same process."""
WORKING_S = 5.0
POISON = 100
"""As many that are no commands, and as many that are."""
GIANT = 12_000
"""Records of a snapshot that takes longer than is looked."""
COPPERS_LIMIT = 180


@pytest.fixture(scope="module")
async def house(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """Four accounts, followed."""
    unfollowed = {entity: {"enabled": False} for entity in ENTITIES if entity not in FOLLOWED}
    events = {"poll_every": f"{EVERY_S:g}s"} | unfollowed
    directory = tmp_path_factory.mktemp("house")
    logs.configure("error", "json")
    async with stage(bootstrap_servers, directory, [BAD, *GOOD], events=events) as play:
        for account in (BAD, *GOOD):
            await play.scanned(account, "lead")
        yield play
    structlog.reset_defaults()


async def _nothing(_play: Stage) -> None:
    """Everybody behaves."""


async def _refused(play: Stage) -> None:
    play.account(BAD).revoke()


async def _too_many(play: Stage) -> None:
    play.copper.fault(Fault("status", status=429, account=BAD, times=None))


async def _poison(play: Stage) -> None:
    """Bytes that are no commands, and commands about records that there are not."""
    rng = random.Random(SEED)  # noqa: S311 - a seed, not secrecy
    topics = [play.names.commands(entity) for entity in FOLLOWED]
    await asyncio.gather(
        *(
            play.send(rng.choice(topics), rng.randbytes(200), key=BAD.encode(), partition=play.shard(BAD))
            for _ in range(POISON)
        ),
        *(
            play.command(BAD, "lead", "update", record_id=10_000_000 + number, data={"name": "nobody"})
            for number in range(POISON)
        ),
    )


async def _giant(play: Stage) -> None:
    play.account(BAD).load("task", [{"name": f"old {number}", "date_created": 1_000_000} for number in range(GIANT)])
    value = encode_control(Control("giant", Asked.SNAPSHOT, BAD, "task"))
    await play.send(play.names.control, value, key=BAD.encode(), partition=play.shard(BAD))


async def _people(play: Stage, account: str, rng: random.Random, until: float) -> dict[int, float]:
    """Leads that people make, and when they did."""
    made = {}
    while time.time() < until:
        await asyncio.sleep(rng.uniform(0.1, 0.7))
        made[int(play.account(account).create("lead", {"name": f"lead of {account}"})["id"])] = time.time()
    return made


async def _gap(play: Stage, account: str, record_id: int, at: float) -> float:
    """Seconds until the one event of a change was published."""
    event = await play.event("lead", "created", record_id, account)
    return float(event.value["ts_ms"] / 1000 - at)


@pytest.mark.figures
@pytest.mark.parametrize("misbehaves", [_nothing, _refused, _too_many, _giant, _poison])
async def test_one_account_that_misbehaves_loses_nobody_elses_events(
    house: Stage, misbehaves: Callable[[Stage], Awaitable[None]]
) -> None:
    rng = random.Random(SEED)  # noqa: S311 - a seed, not secrecy
    until = time.time() + WORKING_S
    misbehaving = asyncio.ensure_future(misbehaves(house))
    made = dict(zip(GOOD, await asyncio.gather(*(_people(house, name, rng, until) for name in GOOD)), strict=True))
    await misbehaving
    gaps = [await _gap(house, name, each, at) for name, each_made in made.items() for each, at in each_made.items()]
    house.account(BAD).restore()
    house.copper.clear_faults()
    most = max(most_in_any(60.0, (call.at for call in house.calls(name))) for name in (BAD, *GOOD))
    print(
        f"seed {SEED}, {misbehaves.__name__.strip('_')}: {len(gaps)} changes in {len(GOOD)} accounts, polled every "
        f"{EVERY_S:.0f} s: lost 0, the last came {max(gaps):.1f} s after it was made; most calls in any 60 s {most}"
    )
    assert most <= COPPERS_LIMIT
