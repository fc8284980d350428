"""A broker that stops answering, or dies and comes back: everything ends in its time, and goes on afterwards."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicSpec
from bridge.kafka.abandoning import END_SECONDS
from bridge.kafka.connection import LET_GO_SECONDS, Connection, let_go
from bridge.kafka.inbox import WRITE_SECONDS, Inbox
from bridge.kafka.membership import Membership
from bridge.kafka.topics import ensure
from bridge.sandbox.kafka import LocalKafka, local_kafka
from tests.integration.kafka.conftest import connected
from tests.integration.kafka.test_intake import running
from tests.integration.kafka.waiting import until

ABANDON_S = 4 * END_SECONDS
LATE_S = 10.0
"""What a busy machine may add to a deadline; for ever would be more."""


@pytest.fixture(scope="module")
async def kafka() -> AsyncGenerator[LocalKafka]:
    async with local_kafka() as kafka:
        yield kafka


@pytest.fixture
async def topic(kafka: LocalKafka, fresh: Callable[[str], str]) -> str:
    topic = fresh("topic")
    await ensure(
        connected(kafka.bootstrap_servers), [TopicSpec(topic, {})], partitions=1, replication_factor=1, create=True
    )
    return topic


async def transacting(connection: Connection, topic: str) -> Any:
    """A producer in the middle of a transaction."""
    producer = connection.transactional_producer(topic)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"sent")
    return producer


async def producing(connection: Connection, topic: str) -> Any:
    producer = connection.plain_producer()
    await producer.start()
    await producer.send_and_wait(topic, b"sent")
    return producer


async def belonging(connection: Connection, topic: str) -> Any:
    """A consumer that is a member of a group."""
    consumer = connection.consumer(group_id=topic)
    consumer.subscribe([topic])
    await consumer.start()
    return consumer


async def fetching(connection: Connection, topic: str) -> Any:
    """A consumer of partitions it was given."""
    consumer = connection.consumer(committed=False, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.getone()
    return consumer


@asynccontextmanager
async def gone(kafka: LocalKafka, how: str) -> AsyncGenerator[None]:
    if how == "paused":
        kafka.pause(1)
    else:
        await kafka.kill(1)
    try:
        yield
    finally:
        if how == "paused":
            kafka.resume(1)
        else:
            await kafka.start(1)


@pytest.fixture
async def complaints() -> AsyncGenerator[list[str]]:
    """What asyncio has to say of forgotten tasks and futures, which would end up in the log of the product."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    gc.collect()  # what others forgot is theirs
    loop.set_exception_handler(
        lambda _loop, context: heard.append(f"{context['message']} {context.get('exception')!r}")
    )
    yield heard
    loop.set_exception_handler(before)


@pytest.mark.parametrize("how", ["paused", "killed"])
async def test_clients_are_let_go_of_in_time_and_leave_nothing_running(
    kafka: LocalKafka, topic: str, how: str, complaints: list[str]
) -> None:
    connection = connected(kafka.bootstrap_servers)
    before = asyncio.all_tasks()
    clients = [await make(connection, topic) for make in (transacting, producing, belonging, fetching)]
    async with gone(kafka, how):
        unsent = [await producer.send(topic, b"never sent") for producer in clients[:2]]

        took = await asyncio.gather(*map(timed, clients))

        print(f"\n{how}, let go of after {', '.join(f'{seconds:.1f} s' for seconds in took)}")
        assert max(took) < LET_GO_SECONDS + ABANDON_S + LATE_S
        assert [type(outcome) for outcome in await asyncio.gather(*unsent, return_exceptions=True)] == [KafkaError] * 2
        left = asyncio.all_tasks() - before  # others of this loop may go on beginning new ones
        await until(lambda: all(task.done() for task in left), LATE_S)
        del clients, unsent
        gc.collect()
        assert complaints == []


async def timed(client: Any) -> float:
    began = time.monotonic()
    await let_go(client)
    return time.monotonic() - began


async def test_a_notice_that_cannot_be_written_is_refused_in_time_and_the_next_one_is_written(
    kafka: LocalKafka, topic: str
) -> None:
    async with Inbox(connected(kafka.bootstrap_servers)) as inbox:
        assert await inbox.put(Outgoing(topic, 0, b"acme", b"first"))
        async with gone(kafka, "paused"):
            began = time.monotonic()
            second = Outgoing(topic, 0, b"acme", b"second")
            assert await asyncio.gather(*(inbox.put(second) for _ in range(3))) == [False] * 3
            assert time.monotonic() - began < WRITE_SECONDS + LATE_S
        assert await inbox.put(Outgoing(topic, 0, b"acme", b"third"))


async def test_members_and_intake_go_on_after_a_restart_without_losing_or_repeating_a_record(
    kafka: LocalKafka, fresh: Callable[[str], str]
) -> None:
    async with running(kafka.bootstrap_servers, fresh("restart")) as desk, AsyncExitStack() as stack:
        commands, inbox = desk.topics
        membership = Membership(
            desk.connection, group=inbox, topic=inbox, session_seconds=6.0, name="test", member_id=None
        )
        member = asyncio.create_task(membership.run())
        stack.callback(member.cancel)
        await until(lambda: membership.joined)
        desk.open(0)
        desk.open(1)
        await desk.write(commands, 0, 3)
        await desk.delivered(commands, 0, 0, 1, 2)

        await kafka.kill(1)
        await kafka.start(1)
        await desk.write(commands, 0, 2)
        await desk.write(inbox, 1, 1)

        await desk.delivered(commands, 0, 0, 1, 2, 3, 4)
        await desk.delivered(inbox, 1, 0)
        await until(lambda: membership.owned == {0, 1})
        assert not member.done()
