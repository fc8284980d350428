"""Membership in a real group: who owns which shards, and what becomes of it when members come, go and quarrel."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from bridge.kafka.connection import let_go
from bridge.kafka.membership import Membership, MembershipContested
from tests.integration.kafka.members import ALL, SHARDS, Group, leave
from tests.integration.kafka.waiting import until

CONTEST_S = 20.0
"""Eight joins half a second apart, and the members' starts."""


@asynccontextmanager
async def foreigner(group: Group) -> AsyncGenerator[AIOKafkaConsumer]:
    """Somebody's consumer under our group's name, with an assignor that no member of ours has."""
    consumer = group.connection.consumer(
        group_id=group.topic, partition_assignment_strategy=(RangePartitionAssignor,), session_timeout_ms=6000
    )
    consumer.subscribe([group.topic])
    await consumer.start()
    try:
        yield consumer
    finally:
        await let_go(consumer)


async def test_one_member_owns_every_shard(group: Group) -> None:
    member, _ = await group.join()

    assert member.owned == ALL
    assert await member.holds(3)
    assert not await member.holds(SHARDS)


async def test_two_members_share_the_shards_and_one_takes_over_when_the_other_leaves(group: Group) -> None:
    one, leaving = await group.join()
    other, _ = await group.join()
    await until(lambda: len(one.owned) == len(other.owned) == SHARDS // 2)
    assert one.owned | other.owned == ALL

    await leave(leaving)

    assert one.owned == frozenset()
    await until(lambda: other.owned == ALL)


async def test_a_static_member_that_comes_back_in_time_finds_its_shards_and_disturbs_nobody(group: Group) -> None:
    stays, _ = await group.join("stays")
    restarts, running = await group.join("restarts")
    await until(lambda: len(stays.owned) == len(restarts.owned) == SHARDS // 2)
    before, told = restarts.owned, len(group.told)

    await leave(running)
    again, _ = await group.join("restarts")

    assert again.owned == before
    assert group.told[told:] == [before]


async def test_two_members_with_one_static_id_are_refused(group: Group) -> None:
    members = [asyncio.create_task(group.member("twin").run()) for _ in range(2)]
    for member in members:
        group.stack.push_async_callback(leave, member)

    done, _ = await asyncio.wait(members, timeout=CONTEST_S, return_when=asyncio.FIRST_COMPLETED)

    assert done, f"nobody noticed; joins so far: {len(group.told)}"
    with pytest.raises(MembershipContested, match=r"give every replica its own"):
        done.pop().result()


async def test_a_member_whose_client_breaks_tries_again_with_another(group: Group) -> None:
    member = group.member()
    async with foreigner(group) as consumer:
        await until(lambda: len(consumer.assignment()) == SHARDS)
        running = asyncio.create_task(member.run())
        group.stack.push_async_callback(leave, running)
        refused = await clients_used(member, 2)
        assert not running.done()
        assert not member.joined

    await until(lambda: member.owned == ALL)

    assert member._consumer not in refused


async def clients_used(member: Membership, count: int) -> list[AIOKafkaConsumer]:
    seen: list[AIOKafkaConsumer] = []

    def another() -> bool:
        if member._consumer is not None and member._consumer not in seen:
            seen.append(member._consumer)
        return len(seen) == count

    await until(another)
    return seen[:-1]


async def test_offsets_under_the_groups_name_are_nobodys_positions(group: Group) -> None:
    """Anybody may commit what they like under this name: members read nothing of the topic, from wherever."""
    producer = group.connection.plain_producer()
    await producer.start()
    for shard in range(SHARDS):
        await producer.send_and_wait(group.topic, b"{}", b"cursor", shard)
    await let_go(producer)
    consumer = group.connection.consumer(group_id=group.topic)
    await consumer.start()
    partitions = [TopicPartition(group.topic, shard) for shard in range(SHARDS)]
    consumer.assign(partitions)
    await consumer.commit({tp: OffsetAndMetadata(0, "") for tp in partitions})
    await let_go(consumer)

    one, _ = await group.join()
    other, _ = await group.join()
    await until(lambda: len(one.owned) == len(other.owned) == SHARDS // 2)

    for member in (one, other):
        client = member._consumer
        assert client is not None
        assert client.paused() == client.assignment() == {TopicPartition(group.topic, shard) for shard in member.owned}
        assert [client.highwater(tp) for tp in client.assignment()] == [None] * (SHARDS // 2)  # never fetched
