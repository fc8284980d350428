"""Who owns what, as the coordinator of a real group tells it."""

import asyncio

from bridge.kafka.owners import owners
from tests.integration.kafka.conftest import connected
from tests.integration.kafka.members import ALL, SHARDS, Group, leave, shared
from tests.integration.kafka.waiting import until


async def told(group: Group) -> dict[int, str] | None:
    return await owners(group.connection, group=group.topic, topic=group.topic)


async def test_every_shard_is_told_with_the_name_of_the_replica_that_owns_it(group: Group) -> None:
    one, leaving = await group.join(name="bridge-0")
    assert await told(group) == dict.fromkeys(ALL, "bridge-0")
    other, _ = await group.join("bridge-1")  # a static member's name is its id
    assert await told(group) == await shared({"bridge-0": one, "bridge-1": other})
    assert (one.told, other.told) == (2, 1)

    await leave(leaving)
    await until(lambda: len(other.owned) == SHARDS)

    assert await told(group) == dict.fromkeys(ALL, "bridge-1")


async def test_while_the_group_shares_out_anew_nothing_is_told(group: Group) -> None:
    """A static member that is gone holds a rebalance up until it is missed."""
    _, gone = await group.join("gone")
    await leave(gone)
    joining = asyncio.create_task(group.join(name="new"))

    found = []
    while not joining.done():
        found.append(await told(group))

    assert None in found
    assert [each for each in found if each not in (None, dict.fromkeys(ALL, "gone"), dict.fromkeys(ALL, "new"))] == []
    assert await told(group) == dict.fromkeys(ALL, "new")


async def test_a_group_without_members_owns_nothing(group: Group) -> None:
    assert await told(group) == {}
    _, running = await group.join()
    await leave(running)
    assert await told(group) == {}


async def test_without_kafka_nothing_is_told() -> None:
    assert await owners(connected("127.0.0.1:1", request_seconds=0.5), group="any", topic="any") is None
