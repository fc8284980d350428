"""Three replicas share many accounts, and one is killed for good: the others take over what was its, and nothing else.

SIGKILL, not restarted. Its accounts are silent until its session with the group has ended and their shards are open
elsewhere; how long that is, and that nothing is lost or doubled for it, is read back from Kafka and from the double.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

import aiohttp
import pytest

from bridge.sandbox.kafka.ports import free_ports
from tests.crowd.copper import Crowded, crowded
from tests.crowd.events import published
from tests.crowd.settings import ENTITIES, settings, snapshots_done
from tests.faults.replicas import Replica

SESSION_S = 4.0
MOST_CALLS = 180
PATIENCE_S = 240.0
LOOK_S = 0.5


@dataclass(frozen=True)
class Size:
    accounts: int
    records: int
    partitions: int
    every: float
    edits_per_second: float
    seconds: float
    """How long people edit; the kill comes within the first half of it."""
    patience: float = PATIENCE_S


@asynccontextmanager
async def replicas(
    servers: str, prefix: str, copper: Crowded, size: Size, directory: Path
) -> AsyncGenerator[list[Replica]]:
    """Three of them, started one after the other."""
    common = settings(
        servers,
        copper.base_url,
        prefix,
        accounts=size.accounts,
        partitions=size.partitions,
        every=size.every,
        directory=directory,
    )
    common["kafka"]["session_timeout"] = f"{SESSION_S:g}s"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    async with AsyncExitStack() as stack:
        started = []
        for name in "abc":
            public, internal = free_ports(2)
            replica = Replica(name, directory, common, environ, (public, internal))
            stack.push_async_callback(replica.discard)
            await replica.start()
            started.append(replica)
        yield started


async def _shares(living: Sequence[Replica], size: Size) -> dict[str, set[int]]:
    """Wait until every shard is open somewhere and everybody has some; who has which."""
    async with asyncio.timeout(size.patience), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while True:
            shares = {each.name: set(await each.open_shards(session) or ()) for each in living}
            if all(shares.values()) and set().union(*shares.values()) == {*range(size.partitions)}:
                return shares
            await asyncio.sleep(LOOK_S)


async def _settled(started: Sequence[Replica], size: Size) -> None:
    """Wait until everything has been read for the first time."""
    wanted = size.accounts * ENTITIES
    async with asyncio.timeout(size.patience):
        while True:
            if len(snapshots_done([line for each in started for line in each.lines()])) == wanted:
                return
            await asyncio.sleep(LOOK_S)


async def _until_read(copper: Crowded, patience: float) -> None:
    async with asyncio.timeout(patience):
        while await copper.unread():  # noqa: ASYNC110 - it comes true in other processes
            await asyncio.sleep(LOOK_S)


def _given_up(living: Sequence[Replica], before: dict[str, int]) -> list[int]:
    """Shards that the living gave to each other since their logs had so many lines."""
    lines = [line for each in living for line in each.lines()[before[each.name] :]]
    return sorted(line["shard"] for line in lines if line["event"] == "session.ended" and line["how"] == "lost")


async def _lose_one(servers: str, directory: Path, size: Size) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    random, prefix = Random(seed), f"crowd-{uuid4().hex[:8]}"  # noqa: S311 - chance from a seed
    print(f"\nseed {seed}, {size.accounts} accounts in {size.partitions} shards, polled every {size.every:g} s")
    async with (
        crowded(size.accounts, size.records, seed) as copper,
        replicas(servers, prefix, copper, size, directory) as started,
    ):
        await _settled(started, size)
        shares, calls = await _shares(started, size), await copper.calls()
        await copper.edit(size.edits_per_second, size.seconds)
        await asyncio.sleep(random.uniform(0.1, 0.5) * size.seconds)
        victim = random.choice(started)
        living = [each for each in started if each is not victim]
        before = {each.name: len(each.lines()) for each in living}
        await victim.kill()
        after = await _shares(living, size)
        await asyncio.sleep(size.seconds / 2)
        await _until_read(copper, size.patience)
        codes = [(await each.stop())[0] for each in living]
        polls, edits = await copper.polls(calls, size.every), await copper.edits()
        most, refused = await copper.most_in_any_minute(), await copper.refused()
        found = await published(servers, prefix, size.partitions)
    lost, doubled, invented = found.lost(edits), found.doubled(), found.invented(edits)
    slowest = max(delay for each in found.delays(edits).values() for delay in each)
    kept = all(shares[each.name] <= after[each.name] for each in living)
    print(f"killed {victim.name} with {len(shares[victim.name])} of {size.partitions} shards")
    moved = _given_up(living, before)
    print(f"shards that moved between the living: {len(moved)}; each kept its own: {kept}")
    print(f"longest silence of any entity of any account: {max(polls.late) + size.every:.1f} s between two polls")
    print(f"{len(edits)} edits: lost {len(lost)}, doubled {len(doubled)}; longest until its event: {slowest:.1f} s")
    print(f"calls of any account in any 60 s: at most {most}; answered 429: {refused}")
    assert (moved, kept) == ([], True), f"seed {seed}"
    assert (codes, lost, doubled, invented) == ([0, 0], [], [], []), f"seed {seed}"
    assert len(found.rows) == size.accounts * ENTITIES * size.records, f"seed {seed}"
    assert (most <= MOST_CALLS, refused) == (True, 0), f"seed {seed}"


@pytest.mark.figures
@pytest.mark.timeout(400)
async def test_a_replica_that_dies_for_good_loses_and_doubles_nothing(bootstrap_servers: str, tmp_path: Path) -> None:
    await _lose_one(bootstrap_servers, tmp_path, Size(30, 3, 12, every=3, edits_per_second=10, seconds=12))


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_of_a_thousand_accounts_none_is_lost_with_a_replica(bootstrap_servers: str, tmp_path: Path) -> None:
    size = Size(1000, 20, 24, every=60, edits_per_second=10, seconds=240, patience=1800)
    await _lose_one(bootstrap_servers, tmp_path, size)
