"""Following a topic that all replicas read: all that is committed, from the beginning, in order, and what comes."""

import asyncio
from collections.abc import Callable, Sequence

from bridge.contract.records import Incoming
from bridge.contract.topics import TopicSpec
from bridge.kafka.connection import let_go
from bridge.kafka.following import Following
from bridge.kafka.topics import ensure
from tests.integration.kafka.conftest import connected

PARTITIONS, COUNT = 3, 50


async def test_a_reader_learns_what_is_committed_from_the_beginning_in_order_and_what_comes_later(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    connection, topic = connected(bootstrap_servers), fresh("accounts")
    await ensure(connection, [TopicSpec(topic, {})], partitions=PARTITIONS, replication_factor=1, create=True)
    plain, transactional = connection.plain_producer(), connection.transactional_producer(fresh("writer"))
    learnt: dict[int, list[bytes | None]] = {number: [] for number in range(PARTITIONS)}
    news = asyncio.Event()

    def learn(records: Sequence[Incoming]) -> None:
        for each in records:
            learnt[each.position.partition].append(each.key)
        news.set()

    following = Following(connection, topic, PARTITIONS, learn)
    reading = None
    try:
        await plain.start()
        await transactional.start()
        for number in range(COUNT):
            await plain.send_and_wait(topic, b"{}", f"{number}".encode(), number % PARTITIONS)
        await transactional.begin_transaction()
        await transactional.send_and_wait(topic, b"{}", b"aborted", 0)
        await transactional.abort_transaction()
        reading = asyncio.create_task(following.run())
        async with asyncio.timeout(30):
            await following.caught_up.wait()
        wanted = {part: [f"{n}".encode() for n in range(part, COUNT, PARTITIONS)] for part in range(PARTITIONS)}
        assert learnt == wanted
        news.clear()
        await plain.send_and_wait(topic, None, b"0", 0)
        async with asyncio.timeout(30):
            await news.wait()
        assert learnt[0][len(wanted[0]) :] == [b"0"]
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        await let_go(plain)
        await let_go(transactional)


async def test_a_reader_of_a_topic_without_records_has_caught_up_at_once(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    connection, topic = connected(bootstrap_servers), fresh("accounts")
    await ensure(connection, [TopicSpec(topic, {})], partitions=1, replication_factor=1, create=True)
    following = Following(connection, topic, 1, lambda _records: None)
    reading = asyncio.create_task(following.run())
    try:
        async with asyncio.timeout(30):
            await following.caught_up.wait()
    finally:
        reading.cancel()
        await asyncio.wait([reading])
