"""The changelog against what really lies in a log: markers, aborted records, nothing, and open transactions."""

from collections.abc import AsyncGenerator, Callable, Sequence

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.contract.records import Incoming
from bridge.contract.topics import TopicSpec
from bridge.kafka.changelog import Changelog, Ends
from bridge.kafka.connection import Connection, let_go
from bridge.kafka.topics import ensure
from bridge.kafka.watermarks import Marks, Watermarks
from bridge.policy.sessions import Ending, SessionEnded
from tests.integration.kafka.conftest import SHARD, connected

FULL, ABORTED, EMPTY = "full", "aborted", "empty"


class Log:
    """Three changelog topics and a foreign producer that writes, aborts, and leaves open."""

    def __init__(self, connection: Connection, watermarks: Watermarks, stem: str) -> None:
        self._connection, self._stem = connection, stem
        self.watermarks = watermarks
        self.producer: AIOKafkaProducer = connection.transactional_producer(stem)
        self.topics = {name: f"{stem}.{name}" for name in (FULL, ABORTED, EMPTY)}
        self.changelog = Changelog(connection, watermarks, list(self.topics.values()), SHARD)
        self.keys: list[str] = []
        self.ends: dict[str, int] = {}

    async def settle(self) -> None:
        """The answer to a commit comes before its markers are written; a fence waits for them."""
        await let_go(self.producer)
        self.producer = self._connection.transactional_producer(self._stem)
        await self.producer.start()

    async def send(self, name: str, *keys: str) -> None:
        for key in keys:
            await self.producer.send_and_wait(self.topics[name], b"{}", key.encode(), SHARD)

    async def write(self, name: str, *keys: str) -> None:
        await self.producer.begin_transaction()
        await self.send(name, *keys)
        await self.producer.commit_transaction()

    async def abort(self, name: str, *keys: str) -> None:
        await self.producer.begin_transaction()
        await self.send(name, *keys)
        await self.producer.abort_transaction()

    def learn(self, records: Sequence[Incoming], ends: Ends) -> None:
        self.keys += [(record.key or b"").decode() for record in records]
        self.ends.update(ends)

    async def marks(self, name: str) -> Marks:
        tp = TopicPartition(self.topics[name], SHARD)
        return (await self.watermarks.of([tp]))[tp]


@pytest.fixture
async def log(bootstrap_servers: str, fresh: Callable[[str], str]) -> AsyncGenerator[Log]:
    connection, stem = connected(bootstrap_servers), fresh("log")
    specs = [TopicSpec(f"{stem}.{name}", {"cleanup.policy": "compact"}) for name in (FULL, ABORTED, EMPTY)]
    await ensure(connection, specs, partitions=SHARD + 1, replication_factor=1, create=True)
    async with Watermarks(connection) as watermarks:
        log = Log(connection, watermarks, stem)
        await log.producer.start()
        yield log
        await let_go(log.producer)


async def test_a_replay_ends_behind_markers_and_never_delivers_what_was_aborted(log: Log) -> None:
    await log.write(FULL, "1", "2")
    await log.abort(FULL, "never")
    await log.write(FULL, "3")
    await log.abort(ABORTED, "never", "never")
    await log.abort(FULL, "never")
    await log.settle()
    begins, ends = await log.changelog.bounds()

    count = await log.changelog.replay(begins, ends, log.learn)

    assert (count, log.keys) == (3, ["1", "2", "3"])
    assert ends == {log.topics[FULL]: 9, log.topics[ABORTED]: 3, log.topics[EMPTY]: 0}  # markers take offsets too
    assert log.ends == {log.topics[FULL]: 9, log.topics[ABORTED]: 3}


async def test_nothing_is_replayed_from_empty_partitions(log: Log) -> None:
    begins, ends = await log.changelog.bounds()

    assert set(begins.values()) == set(ends.values()) == {0}
    assert await log.changelog.replay(begins, ends, log.learn) == 0
    assert log.keys == []


async def test_a_replay_stops_short_of_until_even_within_a_batch(log: Log) -> None:
    await log.write(FULL, "1", "2", "3", "4")
    await log.settle()
    until = {log.topics[FULL]: 2, log.topics[ABORTED]: 0, log.topics[EMPTY]: 0}

    count = await log.changelog.replay({}, until, log.learn)

    assert (count, log.keys) == (2, ["1", "2"])
    assert log.ends == {log.topics[FULL]: 2}


async def test_a_replay_goes_on_where_the_last_one_ended(log: Log) -> None:
    await log.write(FULL, "1", "2")
    await log.settle()
    _, ends = await log.changelog.bounds()
    await log.write(FULL, "3")
    await log.settle()

    _, later = await log.changelog.bounds()
    count = await log.changelog.replay(ends, later, log.learn)

    assert (count, log.keys) == (1, ["3"])


async def test_an_open_transaction_shows_and_keeps_a_session_from_opening(log: Log) -> None:
    """The guard against a writer whom the fence does not reach: one with another transactional id."""
    await log.write(FULL, "1")
    await log.settle()
    assert await log.marks(FULL) == Marks(begin=0, stable=2, high=2)
    await log.producer.begin_transaction()
    await log.send(FULL, "2")

    assert await log.marks(FULL) == Marks(begin=0, stable=2, high=3)
    with pytest.raises(SessionEnded) as ended:
        await log.changelog.bounds()

    assert ended.value.ending is Ending.UNSETTLED
    assert f"{log.topics[FULL]}-{SHARD}" in str(ended.value)
    assert log.topics[EMPTY] not in str(ended.value)


async def test_a_session_may_open_again_once_the_transaction_is_over(log: Log) -> None:
    await log.producer.begin_transaction()
    await log.send(FULL, "1")
    with pytest.raises(SessionEnded):
        await log.changelog.bounds()

    await log.producer.commit_transaction()
    await log.settle()

    _, ends = await log.changelog.bounds()
    assert ends[log.topics[FULL]] == 2
