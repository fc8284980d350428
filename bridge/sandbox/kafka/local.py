"""Kafka as local JVMs: one node or several on own free ports with throw-away data.

Called by `bridge.sandbox.kafka.choosing` and by tests that kill, pause and restart brokers.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bridge.sandbox.kafka.jars import jars, java
from bridge.sandbox.kafka.node import KafkaDied, Node
from bridge.sandbox.kafka.ports import free_ports
from bridge.sandbox.kafka.properties import VERSION, server_properties

_TRIES = 3


class LocalKafka:
    """A running cluster of local processes. Nodes are named by their number, from 1."""

    def __init__(self, nodes: Sequence[Node], behind: Sequence[str], at: Mapping[str, str]) -> None:
        self._nodes = tuple(nodes)
        self.bootstrap_servers = ",".join(node.address for node in nodes)
        self.how = (
            f"Apache Kafka {VERSION}, {'one node' if len(nodes) == 1 else f'{len(nodes)} nodes'}, throw-away data"
        )
        self.behind = tuple(behind)
        """Per node the `host:port` that a proxy is to forward to; empty without `proxy_ports`."""
        self.at = at
        """Per further listener the bootstrap servers."""

    async def kill(self, node: int) -> None:
        """SIGKILL the node and wait until it is gone."""
        await self._node(node).kill()

    async def start(self, node: int) -> None:
        """Start a killed node again, on its old ports and data, and wait until it answers."""
        await self._node(node).start()
        await self._node(node).ready(cluster=1)

    def pause(self, node: int) -> None:
        """SIGSTOP the node."""
        self._node(node).pause()

    def resume(self, node: int) -> None:
        """SIGCONT the node."""
        self._node(node).resume()

    def _node(self, number: int) -> Node:
        return self._nodes[number - 1]


@asynccontextmanager
async def local_kafka(
    nodes: int = 1,
    *,
    properties: Mapping[str, str] | None = None,
    proxy_ports: Sequence[int] = (),
    listeners: Mapping[str, str] | None = None,
    jvm: Sequence[str] = (),
) -> AsyncGenerator[LocalKafka]:
    """Run `nodes` brokers until the block ends; with three, replication factor 3 and min ISR 2.

    Args:
        nodes: how many brokers, each also a controller.
        properties: further lines of `server.properties`; they win over the sandbox's own.
        proxy_ports: per node the loopback port of a proxy of the caller's. Clients that come through it are told this
            port in the metadata and so stay behind it; it is to forward to `LocalKafka.behind`.
        listeners: further ones, name to security protocol (`{"TLS": "SSL"}`); `properties` say the rest of them, and
            `LocalKafka.at` where they are. The one without security stays.
        jvm: further arguments of the JVM, such as `-Dname=value`.

    Raises:
        ToolMissing: Java or Maven is not there.
        JarsUnresolved: Maven could not get Kafka's jars.
        KafkaDied: a broker did not come up.
    """
    executable, lib = java(), await jars()
    wanted = listeners or {}
    async with AsyncExitStack() as stack:
        for attempt in range(1, _TRIES + 1):
            home = Path(tempfile.mkdtemp(prefix="copper-bridge-kafka-"))
            every = iter(free_ports((3 + len(wanted)) * nodes))
            ports = tuple(islice(every, 3 * nodes))
            further = {name: (kind, tuple(islice(every, nodes))) for name, kind in wanted.items()}
            cluster = [Node(n + 1, f"127.0.0.1:{ports[n]}", home, executable, lib, jvm) for n in range(nodes)]
            stack.push_async_callback(_discard, cluster, home)
            common = server_properties(nodes, properties or {})
            try:
                await _bring_up(cluster, _configurations(home, ports, proxy_ports, further, common))
                break
            except KafkaDied as died:
                if not died.port_taken or attempt == _TRIES:
                    raise
        behind = [f"127.0.0.1:{port}" for port in ports[2 * nodes :]] if proxy_ports else ()
        at = {name: ",".join(f"127.0.0.1:{port}" for port in each) for name, (_, each) in further.items()}
        yield LocalKafka(cluster, behind, at)


def _configurations(
    home: Path,
    ports: Sequence[int],
    proxy_ports: Sequence[int],
    further: Mapping[str, tuple[str, Sequence[int]]],
    common: Mapping[str, str],
) -> list[dict[str, str]]:
    """Per node its `server.properties`; `ports` are all client ports, then all controllers', then all proxied ones.

    `further` are listeners: name to security protocol and a port per node.
    """
    nodes = len(ports) // 3
    voters = ",".join(f"{n + 1}@127.0.0.1:{ports[nodes + n]}" for n in range(nodes))
    result = []
    for n in range(nodes):
        listeners = {"PLAINTEXT": ports[n], "CONTROLLER": ports[nodes + n]}
        advertised = {"PLAINTEXT": ports[n]}
        if proxy_ports:
            listeners["PROXIED"], advertised["PROXIED"] = ports[2 * nodes + n], proxy_ports[n]
        beside = {name: each[n] for name, (_, each) in further.items()}
        kinds = dict.fromkeys(listeners, "PLAINTEXT") | {name: kind for name, (kind, _) in further.items()}
        own = {
            "node.id": str(n + 1),
            "controller.quorum.voters": voters,
            "listeners": _listeners(listeners | beside),
            "advertised.listeners": _listeners(advertised | beside),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in kinds.items()),
            "log.dirs": str(home / f"node-{n + 1}"),
        }
        result.append(own | dict(common))
    return result


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


async def _bring_up(cluster: Sequence[Node], configurations: Sequence[Mapping[str, str]]) -> None:
    await _all(node.format(lines) for node, lines in zip(cluster, configurations, strict=True))
    await _all(node.start() for node in cluster)
    await _all(node.ready(len(cluster)) for node in cluster)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side; the first failure stops the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _discard(cluster: Sequence[Node], home: Path) -> None:
    await _all(node.kill() for node in cluster)
    await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
