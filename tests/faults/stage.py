"""The stage of the fault tests: the Copper double, the replicas with their settings, and the ingress before them."""

import asyncio
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import aiohttp

from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.sandbox.copper import Account, CopperDouble, DoubleAccount, Fault, Knobs
from bridge.sandbox.kafka.ports import free_ports
from tests.faults.ingress import Ingress
from tests.faults.replicas import GRACE_S, Replica

SHARDS = 4
SESSION_S = 4.0
"""Silence after which the group gives a replica's shards away."""
COPPER = {"timeout": "2s", "lateness": "1s", "index_lag": "2s"}
INDEX_LAG_S = 1.5
"""The double's own: below what the bridge is told."""
ANSWER_S = 0.15
"""What a call takes at the double, so that kills find calls under way."""
POLL_S = 5.0
LOOK_S = 0.1


@dataclass
class Stage:
    """Everything that stands: Kafka's address, the double with its accounts, the replicas, the ingress."""

    servers: str
    names: TopicNames
    copper: CopperDouble
    accounts: list[Account]
    replicas: list[Replica]
    ingress: Ingress
    session: aiohttp.ClientSession
    shards: dict[str, int] = field(default_factory=dict)
    later: list[Replica] = field(default_factory=list)
    """Replicas that are not there yet: `join` starts one."""
    gone: list[Replica] = field(default_factory=list)

    async def start(self) -> None:
        """Start every replica and wait until each shard is open somewhere."""
        for replica in self.replicas:
            await replica.start()
        await self.working()

    async def join(self) -> Replica:
        """One more, when it and the others work."""
        replica = self.later.pop(0)
        self.replicas.append(replica)
        await replica.start()
        await self.working()
        return replica

    async def leave(self, replica: Replica) -> int:
        """One less, cleanly, when the others work on everything; its exit code."""
        code, _ = await replica.stop()
        self.replicas.remove(replica)
        self.gone.append(replica)
        await self.working()
        return code

    async def working(self, patience_s: float = 90) -> None:
        """Wait until every replica is ready and together they work on all shards.

        By the clock: a time-out around the requests is lost when it comes at the moment of a request's own.
        """
        began = time.monotonic()
        shares: list[list[int] | None] = []
        while time.monotonic() < began + patience_s:
            shares = [await replica.open_shards(self.session) for replica in self.replicas]
            if None not in shares and sorted(itertools.chain.from_iterable(each or () for each in shares)) == [
                *range(SHARDS)
            ]:
                return
            await asyncio.sleep(LOOK_S)
        raise TimeoutError(f"after {patience_s:g} s the replicas work on {shares}")

    def logged(self) -> Counter[str]:
        """What the replicas' logs tell, counted: endings of sessions by kind, and everything unexpected."""
        told: Counter[str] = Counter()
        for line in (line for replica in [*self.replicas, *self.gone] for line in replica.lines()):
            if line["event"] == "session.ended":
                told[f"session ended {line['how']}"] += 1
            elif line["event"] in {"session.opened", "bridge.unexpected", "not a log line"}:
                told[line["event"]] += 1
        return told

    def complaints(self) -> list[str]:
        """Log lines that no kill explains: our own errors, sessions that broke, answers other than 2xx and 503."""
        odd = [
            f"{replica.name}: {json.dumps(line)}"
            for replica in [*self.replicas, *self.gone]
            for line in replica.lines()
            if line["event"] in {"bridge.unexpected", "not a log line"}
            or (line["event"] == "session.ended" and line["how"] == "broken")
        ]
        return odd + [f"webhook answered {status}" for status in self.ingress.answers if status not in {200, 503}]


@asynccontextmanager
async def stage(
    servers: str,
    instance: str,
    directory: Path,
    *,
    replicas: int,
    accounts: int,
    seed: int,
    later: int = 0,
    events: Mapping[str, Any] = MappingProxyType({}),
    webhooks: bool = True,
    key_fields: Mapping[str, int] = MappingProxyType({}),
) -> AsyncGenerator[Stage]:
    """Set up everything but the bridge's own start; afterwards no process is left.

    `later` further replicas join when the test has them do so; `events` are further settings; every second account has
    `key_fields`.
    """
    names = TopicNames(instance)
    wanted = _spread(accounts)
    doubles = [DoubleAccount(name, f"key-of-{name}", f"ops@{name}.example") for name in wanted]
    random = Random(f"{seed}/ingress")  # noqa: S311 - chance from a seed
    async with AsyncExitStack() as stack:
        copper = await stack.enter_async_context(
            CopperDouble(doubles, knobs=Knobs(index_lag=INDEX_LAG_S, webhook_delay=(0.0, 1.0)), seed=seed)
        )
        copper.fault(Fault("slow", seconds=ANSWER_S, times=None))
        port, *ports = free_ports(1 + 2 * (replicas + later))
        common = _settings(servers, instance, copper, doubles, port)
        common["events"] |= events
        for name in list(wanted)[1::2]:
            common["accounts"][name]["key_fields"] = dict(key_fields)
        if not webhooks:
            del common["webhooks"]
        secrets = {f"BRIDGE_ACCOUNTS__{d.name.replace('-', '_').upper()}__API_KEY": d.api_key for d in doubles}
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")} | secrets
        members = [_member(common, number) for number in range(replicas + later)]
        processes = [
            Replica("abc"[number], directory, settings, environ, (ports[2 * number], ports[2 * number + 1]))
            for number, settings in enumerate(members)
        ]
        for process in processes:
            stack.push_async_callback(process.discard)
        ingress = Ingress(copper, processes, random)
        await stack.enter_async_context(ingress.listening(port))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)))
        served = [copper.account(name) for name in wanted]
        at_first, rest = processes[:replicas], processes[replicas:]
        yield Stage(servers, names, copper, served, at_first, ingress, session, wanted, rest)


def _spread(count: int) -> dict[str, int]:
    """Names of accounts with their shards, as many in each shard as in any other."""
    found: dict[str, int] = {}
    names = (f"acme-{number}" for number in itertools.count())
    while len(found) < count:
        name = next(names)
        shard = shard_of(name, SHARDS)
        if list(found.values()).count(shard) <= len(found) // SHARDS:
            found[name] = shard
    return found


def _settings(
    servers: str, instance: str, copper: CopperDouble, accounts: Sequence[DoubleAccount], port: int
) -> dict[str, Any]:
    return {
        "instance": instance,
        "copper": {"base_url": copper.base_url, **COPPER},
        "accounts": {account.name: {"user_email": account.user_email} for account in accounts},
        "kafka": {"bootstrap_servers": servers, "session_timeout": f"{SESSION_S:g}s"},
        "topics": {"prefix": instance, "partitions": SHARDS, "replication_factor": 1},
        "events": {"poll_every": f"{POLL_S:g}s"},
        "webhooks": {"public_url": f"http://127.0.0.1:{port}"},
        "log": {"format": "json"},
        "shutdown_grace": f"{GRACE_S:g}s",
    }


def _member(common: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The first replica has a name it keeps over restarts and so finds its shards where it left them.

    The others have none: each kill leaves a ghost in the group, whose shards nobody works on until its session ends.
    """
    return {**common, "kafka": {**common["kafka"], **({"member_id": "first"} if number == 0 else {})}}
