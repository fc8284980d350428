"""What the rebalance listener does, and that it does it in one step."""

from collections.abc import Coroutine
from typing import Any

import pytest
from aiokafka import TopicPartition

from bridge.kafka.connection import Connection
from bridge.kafka.membership import Membership
from bridge.settings import KafkaSettings


@pytest.fixture
def membership() -> Membership:
    connection = Connection(KafkaSettings(bootstrap_servers="nobody:9092"), "test")
    return Membership(connection, group="bridge", topic="cursors", session_seconds=6, name="test", member_id=None)


def at_once(listener: Coroutine[Any, Any, None]) -> bool:
    """Whether it ends without waiting for anything: heartbeats stop while it runs."""
    try:
        listener.send(None)
    except StopIteration:
        return True
    listener.close()
    return False


async def assign(membership: Membership, *shards: int) -> None:
    assert at_once(membership.on_partitions_assigned([TopicPartition("cursors", shard) for shard in shards]))


async def test_the_listener_waits_for_nothing(membership: Membership) -> None:
    assert at_once(membership.on_partitions_revoked(set()))
    await assign(membership, 0, 2)
    assert at_once(membership.on_partitions_revoked({TopicPartition("cursors", 0)}))
    await assign(membership)


async def test_nothing_is_lost_by_a_rebalance_before_the_new_assignment_says_so(membership: Membership) -> None:
    await assign(membership, 0, 1)

    at_once(membership.on_partitions_revoked({TopicPartition("cursors", 0), TopicPartition("cursors", 1)}))

    assert membership.owned == {0, 1}
    assert not membership.settled.is_set()
    await assign(membership, 1)
    assert membership.owned == {1}
    assert await membership.holds(1)
    assert not await membership.holds(0)


async def test_an_assignment_of_nothing_is_an_answer_too(membership: Membership) -> None:
    assert not membership.joined

    await assign(membership)

    assert membership.joined
    assert membership.changed.is_set()
    assert membership.owned == frozenset()
