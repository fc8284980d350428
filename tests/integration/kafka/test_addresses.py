"""Where replies may go: own topics are known, foreign ones are found once they exist."""

import asyncio
import socket
from collections.abc import Callable

from bridge.contract.topics import TopicSpec
from bridge.kafka.addresses import Addresses
from bridge.kafka.topics import ensure
from tests.integration.kafka.conftest import connected

PATIENCE_S = 20


async def test_own_topics_are_known_without_a_cluster() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    addresses = Addresses(connected(nobody), {"copper.lead.replies": 4})

    assert await addresses.partitions("copper.lead.replies") == 4


async def test_a_cluster_that_does_not_answer_has_no_topics() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    addresses = Addresses(connected(nobody, 1), {})

    async with asyncio.timeout(PATIENCE_S):
        assert await addresses.partitions("anything") is None


async def test_a_foreign_topic_is_found_once_somebody_has_made_it(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    connection = connected(bootstrap_servers)
    addresses = Addresses(connection, {})
    topic = fresh("orders.copper-replies")
    assert await addresses.partitions(topic) is None

    await ensure(connection, [TopicSpec(topic, {})], partitions=3, replication_factor=1, create=True)

    async with asyncio.timeout(PATIENCE_S):
        while (found := await addresses.partitions(topic)) is None:  # noqa: ASYNC110 - looks are a second apart
            await asyncio.sleep(0.05)
    assert found == 3
    assert await addresses.partitions(fresh("never-made")) is None
