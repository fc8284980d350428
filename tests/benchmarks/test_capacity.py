"""What a crowd of accounts costs one bridge on one core: calls, CPU, memory, punctuality, and that nothing is lost.

Run by `make capacity ACCOUNTS=10,100,1000`; docs/explanation/capacity.md has a table of it. The double, Kafka and the
readers are other processes; on a machine with more than one core they do not use the bridge's.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import aiohttp
import pytest

from bridge.sandbox.kafka.ports import free_ports
from tests.crowd.copper import Crowded, crowded
from tests.crowd.events import published
from tests.crowd.process import cpu_seconds, directory_megabytes, megabytes
from tests.crowd.settings import ENTITIES, settings, snapshots_done
from tests.faults.replicas import Replica

ACCOUNTS = [int(each) for each in os.environ.get("ACCOUNTS", "10").split(",")]
RECORDS = int(os.environ.get("RECORDS", "200"))
EVERY_S = float(os.environ.get("POLL_EVERY", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
"""Poll intervals that are measured."""
EDITS_PER_SECOND = float(os.environ.get("EDITS_PER_SECOND", "10"))
PARTITIONS = 12
MOST_CALLS = 180
LOOK_S = 0.5
SNAPSHOT_S = 3000.0
PATIENCE_S = 600.0
"""Until the last edit is read, on a machine that others keep busy."""
CORE = max(os.sched_getaffinity(0))


@dataclass
class Figures:
    """A column of the table."""

    accounts: int
    snapshot_seconds: float = 0.0
    snapshot_cpu: float = 0.0
    snapshot_calls: int = 0
    peak_mb: float = 0.0
    state_mb: float = 0.0
    calls_a_minute: float = 0.0
    core_percent: float = 0.0
    cpu_ms_a_call: float = 0.0
    bare_ms_a_call: float = 0.0
    rss_mb: float = 0.0
    late_p50: float = 0.0
    late_p99: float = 0.0
    events: int = 0
    delay_p50: float = 0.0
    delay_max: float = 0.0
    metrics: str = ""
    status: str = ""
    page: str = ""
    most_in_any_minute: int = 0

    def told(self) -> str:
        return "\n    ".join(
            f"{name.replace('_', ' ')}: {value:,.2f}" if isinstance(value, float) else f"{name}: {value}"
            for name, value in asdict(self).items()
        )


@pytest.mark.figures
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("accounts", ACCOUNTS)
async def test_what_so_many_accounts_cost_one_core(
    bootstrap_servers: str, tmp_path: Path, accounts: int, show: Callable[[str], None]
) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    show(f"seed {seed}, {accounts} accounts x {ENTITIES} entities x {RECORDS} records, polled every {EVERY_S:g} s")
    figures, prefix = Figures(accounts), f"capacity-{accounts}-{seed}"
    async with crowded(accounts, RECORDS, seed) as copper:
        async with at_work(bootstrap_servers, copper, prefix, tmp_path, accounts) as bridge:
            await snapshot(bridge, copper, figures)
            await follow(bridge, copper, figures)
            await look(bridge, figures)
            code, _ = await bridge.stop()
        figures.state_mb = directory_megabytes(tmp_path / bridge.name)
        figures.bare_ms_a_call = await bare(copper, accounts) / (accounts * ENTITIES) * 1000
        edits = await copper.edits()
        found = await published(bootstrap_servers, prefix, PARTITIONS)
        figures.most_in_any_minute, refused = await copper.most_in_any_minute(), await copper.refused()
    delays = sorted(delay for each in found.delays(edits).values() for delay in each)
    figures.events, figures.delay_p50, figures.delay_max = len(edits), delays[len(delays) // 2], delays[-1]
    show(figures.told())
    lost, doubled, invented = found.lost(edits), found.doubled(), found.invented(edits)
    show(f"{len(found.rows)} snapshot rows, {len(edits)} edits: lost {len(lost)}, doubled {len(doubled)}")
    shutil.rmtree(tmp_path / bridge.name)
    assert (code, lost, doubled, invented) == (0, [], [], []), f"seed {seed}"
    assert len(found.rows) == accounts * ENTITIES * RECORDS, f"seed {seed}"
    assert (figures.most_in_any_minute <= MOST_CALLS, refused) == (True, 0), f"seed {seed}"


@asynccontextmanager
async def at_work(
    servers: str, copper: Crowded, prefix: str, directory: Path, accounts: int
) -> AsyncGenerator[Replica]:
    """A bridge on a core of its own, while the block lasts."""
    public, internal = free_ports(2)
    common = settings(
        servers,
        copper.base_url,
        prefix,
        accounts=accounts,
        partitions=PARTITIONS,
        every=EVERY_S,
        directory=directory,
    )
    bridge = Replica("bridge", directory, common, dict(os.environ), (public, internal))
    await bridge.start()
    os.sched_setaffinity(bridge.running.pid, {CORE})
    try:
        yield bridge
    finally:
        await bridge.discard()


async def snapshot(bridge: Replica, copper: Crowded, figures: Figures) -> None:
    """Wait until everything has been read for the first time."""
    began, pid = time.monotonic(), bridge.running.pid
    async with asyncio.timeout(SNAPSHOT_S):
        while len(snapshots_done(bridge.lines())) < figures.accounts * ENTITIES:
            assert bridge.running.pid == pid
            await asyncio.sleep(LOOK_S)
    figures.snapshot_seconds = time.monotonic() - began
    figures.snapshot_cpu, figures.peak_mb = cpu_seconds(pid), megabytes(pid, "VmHWM")
    figures.snapshot_calls = await copper.calls()


async def follow(bridge: Replica, copper: Crowded, figures: Figures) -> None:
    """Let it follow what people do for some intervals, and on until each has been read once more than that."""
    pid, seconds = bridge.running.pid, ROUNDS * EVERY_S
    await asyncio.sleep(EVERY_S)
    calls, cpu, began = await copper.calls(), cpu_seconds(pid), time.monotonic()
    await copper.edit(EDITS_PER_SECOND, seconds - EVERY_S)
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    spent, made = cpu_seconds(pid) - cpu, await copper.calls() - calls
    figures.core_percent, figures.calls_a_minute = spent / passed * 100, made / passed * 60
    figures.cpu_ms_a_call = spent / made * 1000
    polls = await copper.polls(calls, EVERY_S)
    figures.late_p50, figures.late_p99 = polls.percentile(50), polls.percentile(99)
    figures.rss_mb = megabytes(pid, "VmRSS")
    async with asyncio.timeout(PATIENCE_S):
        while await copper.unread():  # noqa: ASYNC110 - it comes true in other processes
            await asyncio.sleep(10 * LOOK_S)


async def look(bridge: Replica, figures: Figures) -> None:
    """What it costs to be watched."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{bridge.ports[1]}") as session:
        for name, path in (("metrics", "/metrics"), ("status", "/api/status"), ("page", "/")):
            cpu = cpu_seconds(bridge.running.pid)
            async with session.get(path) as answer:
                size = len(await answer.read())
            spent = cpu_seconds(bridge.running.pid) - cpu
            setattr(figures, name, f"{size / 1024:.0f} KiB, {spent * 1000:.0f} ms of CPU")


async def bare(copper: Crowded, accounts: int) -> float:
    """CPU seconds of a program that makes the calls of one interval, reads the answers and does nothing with them."""
    command = (sys.executable, "-m", "tests.crowd.bare", copper.base_url, str(accounts))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return float(told)
