"""One real Kafka for all integration tests; each test takes its own topics, groups and transactional ids."""

import os
from collections.abc import AsyncGenerator, Callable
from uuid import uuid4

import pytest

from bridge.sandbox.kafka import sandbox_kafka


@pytest.fixture(scope="session")
async def bootstrap_servers() -> AsyncGenerator[str]:
    """A running Kafka: the one that KAFKA names, else a Docker engine's, else a local JVM."""
    async with sandbox_kafka(os.environ.get("KAFKA")) as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Names that no other test has: `fresh("orders")` is `orders-3f9c…`, good for topics, groups, transactional ids."""
    return lambda stem: f"{stem}-{uuid4().hex[:12]}"
