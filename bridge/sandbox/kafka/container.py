"""Kafka in a container, through testcontainers (the extra `sandbox`). Called by `bridge.sandbox.kafka.choosing`.

Knows the image's conventions; the settings are the same as the local JVM's.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bridge.sandbox.kafka.answering import brokers
from bridge.sandbox.kafka.node import KafkaDied
from bridge.sandbox.kafka.ports import free_ports
from bridge.sandbox.kafka.properties import CLUSTER_ID, VERSION, environment, server_properties

IMAGE = f"apache/kafka:{VERSION}"
_TRIES = 3
_READY_WITHIN_S = 120.0


class EngineRefused(Exception):
    """The engine answers, but starts no such container (no image, no network, no room); the text has its words."""


class ContainerKafka:
    """A running broker in a container."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.how = f"Apache Kafka {VERSION} in a container, throw-away data"


async def engine_answers() -> bool:
    """Whether there is a Docker engine that answers a ping, and testcontainers to speak to it."""
    return await asyncio.to_thread(_ping)


def _ping() -> bool:
    try:
        from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional extra
        from testcontainers.core.docker_client import DockerClient, get_docker_host  # noqa: PLC0415 - the same
    except ImportError:
        return False
    if not _listens(get_docker_host() or "unix:///var/run/docker.sock"):
        return False
    try:
        client = DockerClient().client
    except (DockerException, OSError):
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


def _listens(engine: str) -> bool:
    """False when it is certain that nobody does: the library, told to try, leaves its socket open behind the error."""
    scheme, _, path = engine.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@asynccontextmanager
async def container_kafka(*, properties: Mapping[str, str] | None = None) -> AsyncGenerator[ContainerKafka]:
    """Run one broker in a container until the block ends. Raises `EngineRefused` or `KafkaDied`."""
    container, address = await _started(properties or {})
    try:
        await _ready(container, address)
        yield ContainerKafka(address)
    finally:
        await asyncio.to_thread(container.stop)


async def _started(properties: Mapping[str, str]) -> tuple[Any, str]:
    from docker.errors import DockerException  # noqa: PLC0415 - an optional extra

    for attempt in range(1, _TRIES + 1):
        (port,) = free_ports(1)
        try:
            return await asyncio.to_thread(_start, port, properties)
        except DockerException as refused:
            words = str(refused)
            taken = "address already in use" in words.lower() or "already allocated" in words.lower()
            if not taken or attempt == _TRIES:
                raise EngineRefused(f"The Docker engine does not start {IMAGE}: {words}") from refused
    raise AssertionError("the last try returns or raises")


def _start(port: int, properties: Mapping[str, str]) -> tuple[Any, str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - an optional extra

    container = DockerContainer(IMAGE)
    host = container.get_docker_client().host()
    container.with_bind_ports(9092, port)
    container.with_envs(CLUSTER_ID=CLUSTER_ID, KAFKA_HEAP_OPTS="-Xmx512m")
    container.with_envs(**environment(_listeners(f"{host}:{port}") | server_properties(1, properties)))
    try:
        container.start()
    except BaseException:
        container.stop()
        raise
    return container, f"{host}:{port}"


def _listeners(outside: str) -> dict[str, str]:
    """Two listeners: the broker talks to itself while it commits transactions, and cannot reach the host's address.

    With the outer one alone plain produce works and every transaction fails with NotEnoughReplicas.
    """
    return {
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,INTERNAL://:19092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{outside},INTERNAL://localhost:19092",
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "/tmp/kafka-logs",  # noqa: S108 - inside the container
    }


async def _ready(container: Any, address: str) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while not await brokers(address):
                if not await asyncio.to_thread(_running, container):
                    raise KafkaDied(1, await asyncio.to_thread(_log, container))
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise KafkaDied(1, await asyncio.to_thread(_log, container)) from None


def _running(container: Any) -> bool:
    container.reload()
    return str(container.status) in {"created", "running"}


def _log(container: Any) -> str:
    out, err = container.get_logs()
    return str((out + err)[-4000:].decode(errors="replace"))
