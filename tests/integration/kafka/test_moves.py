"""What moves in a real group when members join, leave, restart, and are of two versions."""

from collections.abc import Mapping

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from bridge.kafka.connection import let_go
from bridge.kafka.membership import Membership
from tests.integration.kafka.members import SESSION_S, SHARDS, Group, leave, shared
from tests.integration.kafka.waiting import until


def moved(before: Mapping[int, str], after: Mapping[int, str]) -> int:
    return sum(before[shard] != owner for shard, owner in after.items())


async def old_member(group: Group, member_id: str | None) -> AIOKafkaConsumer:
    """A member as the versions before had it: round robin, and nothing else."""
    consumer = group.connection.consumer(
        group_id=group.topic,
        group_instance_id=member_id,
        session_timeout_ms=int(SESSION_S * 1000),
        heartbeat_interval_ms=500,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    consumer.subscribe([group.topic])
    group.stack.push_async_callback(let_go, consumer)
    await consumer.start()
    return consumer


@pytest.mark.figures
async def test_only_the_shards_that_must_move_do_when_replicas_join_and_leave(group: Group) -> None:
    members, figures = {}, []
    members["a"], _ = await group.join(name="a")
    was = await shared(members)
    for name in "bc":
        members[name], running = await group.join(name=name)
        now = await shared(members)
        figures.append((moved(was, now), SHARDS // len(members)))
        assert {owner for shard, owner in now.items() if was[shard] != owner} == {name}
        was = now

    del members["c"]
    await leave(running)
    now = await shared(members)
    figures.append((moved(was, now), SHARDS // 3))

    print(f"{SHARDS} shards, a second and a third replica join, one leaves: moved / needed", *figures)
    assert figures == [(6, 6), (4, 4), (4, 4)]


@pytest.mark.figures
@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
async def test_a_group_is_upgraded_and_rolled_back_one_member_after_the_other(group: Group, *, static: bool) -> None:
    ids = {name: name if static else None for name in "abc"}
    old = {name: await old_member(group, member_id) for name, member_id in ids.items()}
    new: dict[str, Membership] = {}

    def whole() -> bool:
        return (
            sum(len(each.assignment()) for each in old.values()) + sum(len(each.owned) for each in new.values())
            == SHARDS
        )

    await until(whole)
    for name, member_id in ids.items():
        await let_go(old.pop(name))
        new[name], running = await group.join(member_id, name=name)
        await until(whole)
    was = await shared(new)

    new["d"], leaving = await group.join(name="d")
    count = moved(was, await shared(new))
    kind = "static" if static else "dynamic"
    print(f"after the upgrade of three {kind} members a fourth joins: moved {count} / needed 3")
    assert count == 3

    await leave(leaving)
    del new["d"]
    await until(whole)
    await leave(running)
    del new["c"]
    old["c"] = await old_member(group, ids["c"])
    await until(whole)


async def test_static_members_that_restart_one_after_the_other_move_nothing(group: Group) -> None:
    members, running = {}, {}
    for name in "abc":
        members[name], running[name] = await group.join(name)
    was, told = await shared(members), len(group.told)

    for name in "abc":
        await leave(running[name])
        members[name], running[name] = await group.join(name)
    assert await shared(members) == was
    assert len(group.told) == told + 3

    members["d"], _ = await group.join(
        "d"
    )  # what they hold they claim, though it was another process that was given it
    assert moved(was, await shared(members)) == 3
