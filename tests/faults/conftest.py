"""One real Kafka for all fault tests; each test takes topics, a group and transactional ids of its own."""

import os
from collections.abc import AsyncGenerator

import pytest

from bridge.sandbox.kafka import sandbox_kafka


@pytest.fixture(scope="session")
async def bootstrap_servers() -> AsyncGenerator[str]:
    """A running Kafka: the one that KAFKA names, else a Docker engine's, else a local JVM."""
    async with sandbox_kafka(os.environ.get("KAFKA")) as kafka:
        yield kafka.bootstrap_servers
