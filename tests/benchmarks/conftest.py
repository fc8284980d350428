"""What the benchmarks share: a Kafka of their own and the way figures are printed."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest

from bridge.contract.topics import TopicNames, topic_specs
from bridge.kafka.connection import Connection
from bridge.kafka.topics import ensure
from bridge.sandbox.kafka import sandbox_kafka
from bridge.settings import KafkaSettings


@pytest.fixture(scope="session")
async def bootstrap_servers() -> AsyncGenerator[str]:
    async with sandbox_kafka() as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture
async def names(bootstrap_servers: str, request: pytest.FixtureRequest) -> TopicNames:
    """Fresh topics, one partition each."""
    names = TopicNames("bench." + request.node.name.replace("_", "-").replace("test-", "", 1)[:40])
    await ensure(connected(bootstrap_servers), topic_specs(names), partitions=1, replication_factor=1, create=True)
    return names


@pytest.fixture
def connection(bootstrap_servers: str) -> Connection:
    return connected(bootstrap_servers)


def connected(bootstrap_servers: str) -> Connection:
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, transaction_timeout=timedelta(seconds=60))
    return Connection(settings, "bench")


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print past pytest's capture."""

    def print_line(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return print_line
