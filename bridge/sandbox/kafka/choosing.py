"""Which Kafka to take: an address that is given, else a Docker engine, else a local JVM.

Called by the demo, by `copper-bridge sandbox kafka` and by tests.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from bridge.sandbox.kafka.container import ContainerKafka, container_kafka, engine_answers
from bridge.sandbox.kafka.jars import ToolMissing
from bridge.sandbox.kafka.local import LocalKafka, local_kafka


class NoKafka(Exception):
    """There is no way to have a Kafka here; the text is one line that says what to install."""


class GivenKafka:
    """A Kafka that somebody else runs. It is used as it is and left as it is."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.how = "as given"


@asynccontextmanager
async def sandbox_kafka(
    address: str | None = None, nodes: int = 1, *, properties: Mapping[str, str] | None = None
) -> AsyncGenerator[GivenKafka | ContainerKafka | LocalKafka]:
    """A Kafka until the block ends; `bootstrap_servers` is where, `how` says in words what it is.

    Args:
        address: `host:port[,…]` of a Kafka to use as it is, instead of starting one.
        nodes: how many brokers; several are always local JVMs, replication factor 3, min ISR 2.
        properties: further lines of `server.properties`.

    Raises:
        NoKafka: neither a Docker engine nor Java with Maven is there.
        KafkaDied: it was started and did not come up.
        EngineRefused: the Docker engine answers and does not start it.
        JarsUnresolved: Maven could not get its jars.
    """
    if address is not None:
        yield GivenKafka(address)
    elif nodes == 1 and await engine_answers():
        async with container_kafka(properties=properties) as kafka:
            yield kafka
    else:
        async with _local(nodes, properties) as kafka:
            yield kafka


@asynccontextmanager
async def _local(nodes: int, properties: Mapping[str, str] | None) -> AsyncGenerator[LocalKafka]:
    try:
        async with local_kafka(nodes, properties=properties) as kafka:
            yield kafka
    except ToolMissing as missing:
        raise NoKafka(str(missing)) from None
