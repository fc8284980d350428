"""Intake on a real Kafka: each record once and in order, from the positions it is given."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from bridge.contract.records import Incoming
from bridge.contract.topics import TopicSpec
from bridge.kafka.connection import Connection, let_go
from bridge.kafka.intake import Intake
from bridge.kafka.topics import ensure
from tests.integration.kafka.conftest import connected
from tests.integration.kafka.waiting import PATIENCE_S, until
from tests.integration.unreadable import NAMELESS, send_batch

SHARDS = 2


@dataclass
class Desk:
    """Two input topics, an intake that runs, and what it has delivered."""

    connection: Connection
    topics: tuple[str, str]
    intake: Intake
    producer: AIOKafkaProducer
    stack: AsyncExitStack
    got: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))

    records: list[Incoming] = field(default_factory=list)
    """Those of the first topic."""

    def open(self, shard: int, positions: Mapping[str, int] | None = None) -> None:
        self.intake.open(shard, lambda: positions or {}, dict.fromkeys(self.topics, self.take))

    def take(self, records: Sequence[Incoming]) -> None:
        for record in records:
            self.got[record.position.topic, record.position.partition].append(record.position.offset)
        self.records += [record for record in records if record.position.topic == self.topics[0]]

    async def write(self, topic: str, shard: int, count: int) -> None:
        for _ in range(count):
            await self.producer.send_and_wait(topic, b"{}", b"acme", shard)

    async def delivered(self, topic: str, shard: int, *offsets: int) -> None:
        await until(lambda: len(self.got[topic, shard]) >= len(offsets))
        assert self.got[topic, shard] == list(offsets)


@asynccontextmanager
async def running(servers: str, stem: str, **options: Any) -> AsyncGenerator[Desk]:
    connection, topics = connected(servers), (f"{stem}.commands", f"{stem}.inbox")
    specs = [TopicSpec(topic, {}) for topic in topics]
    await ensure(connection, specs, partitions=SHARDS, replication_factor=1, create=True)
    async with AsyncExitStack() as stack:
        producer = connection.plain_producer()
        await producer.start()
        stack.push_async_callback(let_go, producer)
        intake = Intake(connection, topics, SHARDS, **options)
        task = asyncio.create_task(intake.run())
        stack.push_async_callback(ended, task)
        yield Desk(connection, topics, intake, producer, stack)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), f"the intake ended by itself: {task.exception()!r}"


@pytest.fixture
async def desk(bootstrap_servers: str, fresh: Callable[[str], str]) -> AsyncGenerator[Desk]:
    async with running(bootstrap_servers, fresh("intake")) as desk:
        yield desk


async def test_records_come_in_order_from_the_positions_given_and_of_open_shards_only(desk: Desk) -> None:
    commands, inbox = desk.topics
    for shard in range(SHARDS):
        await desk.write(commands, shard, 4)
        await desk.write(inbox, shard, 2)

    desk.open(1, {commands: 2})

    await desk.delivered(commands, 1, 2, 3)
    await desk.delivered(inbox, 1, 0, 1)
    assert set(desk.got) == {(commands, 1), (inbox, 1)}


async def test_what_is_written_later_is_delivered_too(desk: Desk) -> None:
    commands, _ = desk.topics
    desk.open(0)
    await desk.write(commands, 0, 1)
    await desk.delivered(commands, 0, 0)

    await desk.write(commands, 0, 2)

    await desk.delivered(commands, 0, 0, 1, 2)


async def test_a_held_partition_waits_and_others_go_on(desk: Desk) -> None:
    commands, inbox = desk.topics
    desk.open(0)
    await desk.write(commands, 0, 1)
    await desk.delivered(commands, 0, 0)

    desk.intake.hold(commands, 0)
    await desk.write(commands, 0, 3)
    await desk.write(inbox, 0, 2)
    await desk.delivered(inbox, 0, 0, 1)  # written later than what is held

    assert desk.got[commands, 0] == [0]
    desk.intake.release(commands, 0)
    await desk.delivered(commands, 0, 0, 1, 2, 3)


async def test_a_sink_may_hold_its_partition_while_it_takes_records(desk: Desk) -> None:
    commands, inbox = desk.topics
    await desk.write(commands, 0, 1)

    def take_and_hold(records: Sequence[Incoming]) -> None:
        desk.take(records)
        desk.intake.hold(commands, 0)

    desk.intake.open(0, dict, {commands: take_and_hold, inbox: desk.take})
    await desk.delivered(commands, 0, 0)
    await desk.write(commands, 0, 1)
    await desk.write(inbox, 0, 1)
    await desk.delivered(inbox, 0, 0)
    assert desk.got[commands, 0] == [0]

    desk.intake.release(commands, 0)
    await desk.delivered(commands, 0, 0, 1)


async def test_a_closed_shard_gets_nothing_and_goes_on_where_it_is_opened_again(desk: Desk) -> None:
    commands, _ = desk.topics
    desk.open(0)
    desk.open(1)
    await desk.write(commands, 0, 2)
    await desk.delivered(commands, 0, 0, 1)

    desk.intake.close(0)
    await desk.write(commands, 0, 2)
    await desk.write(commands, 1, 1)
    await desk.delivered(commands, 1, 0)
    assert desk.got[commands, 0] == [0, 1]

    desk.open(0, {commands: 1})  # the memory knew of one record only
    await desk.delivered(commands, 0, 0, 1, 1, 2, 3)


async def test_positions_are_shown_in_a_group_that_is_never_read_back(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    group = fresh("group")
    async with running(bootstrap_servers, fresh("shown"), shown_as=group) as desk:
        commands, _ = desk.topics
        await desk.write(commands, 0, 3)
        foreign = desk.connection.consumer(group_id=group)
        await foreign.start()
        desk.stack.push_async_callback(let_go, foreign)
        foreign.assign([shown := TopicPartition(commands, 0)])
        await foreign.commit({shown: 3})

        desk.open(0, {commands: 1})

        await desk.delivered(commands, 0, 1, 2)
        async with asyncio.timeout(PATIENCE_S):
            while await foreign.committed(shown) != 1:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.1)


async def test_a_position_before_the_logs_beginning_means_what_is_left(desk: Desk) -> None:
    commands, _ = desk.topics
    await desk.write(commands, 0, 3)
    async with desk.connection.admin() as admin:
        await admin.delete_records({TopicPartition(commands, 0): RecordsToDelete(before_offset=2)})

    desk.open(0, {commands: 1})

    await desk.delivered(commands, 0, 2)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
async def test_a_header_may_have_any_bytes_for_its_name(desk: Desk, compressed: bool) -> None:
    commands, inbox = desk.topics
    await desk.write(commands, 0, 1)
    values = [b"0", b"1", b"2", b"3", b"4"]
    await send_batch(desk.producer, commands, 0, values, unreadable={0, 1, 4}, compressed=compressed)
    await desk.write(commands, 0, 1)
    await desk.write(inbox, 1, 2)

    desk.open(0)
    desk.open(1)

    await desk.delivered(commands, 0, *range(7))
    await desk.delivered(inbox, 1, 0, 1)
    assert [record.value for record in desk.records[1:6]] == values
    assert [record.headers for record in desk.records[1:4]] == [((NAMELESS, b"1"),), ((NAMELESS, b"1"),), ()]
