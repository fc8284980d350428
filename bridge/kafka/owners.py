"""Which replica owns which shard, asked of the group's coordinator.

Called by `bridge.app.looking` now and then, to be shown to people: nobody decides anything by it, since it is old as
soon as it is told. Members are known by their client id, which `Membership` sets to the replica's name.
"""

import asyncio
from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from bridge.kafka.connection import Connection

STABLE, NOBODY = "Stable", {"Empty", "Dead"}
"""What the coordinator calls a group whose members all know what is theirs, and one without members."""


async def owners(connection: Connection, *, group: str, topic: str) -> dict[int, str] | None:
    """Shard to replica; None when it cannot be told: a rebalance is under way, Kafka is away, or does not let us."""
    try:
        async with asyncio.timeout(connection.request_seconds * 2), connection.admin() as admin:
            (answer,) = await admin.describe_consumer_groups([group])
    except (KafkaError, TimeoutError):
        return None
    # Without error code and with one group: its name, state, protocol's type and name, members
    ((refused, _, state, _, _, members, *_),) = answer.groups
    if refused or state not in {STABLE, *NOBODY}:
        return None
    return {shard: client_id for _, client_id, _, _, told in members for shard in _shards(told, topic)}


def _shards(told: bytes, topic: str) -> list[int]:
    """What is in a member's assignment; one that was given none has no bytes."""
    if not told:
        return []
    assignment: Any = ConsumerProtocolMemberAssignment.decode(told)
    return [partition for name, partitions in assignment.assignment if name == topic for partition in partitions]
