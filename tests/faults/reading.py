"""A second client's view of what the bridge writes: confluent-kafka, read_committed, every public topic.

One reader runs beside the faults, another reads everything from the beginning when they are over: both must have seen
the same.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames

ENTITIES = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))
SILENCE_S = 60.0
"""A reader that hears nothing for so long will hear no more."""


def public_topics(names: TopicNames) -> list[str]:
    """Events, changes, state, replies and dead letters of the six entities."""
    return [
        topic
        for entity in ENTITIES
        for topic in (
            *(names.event(entity, kind) for kind in CATALOGUE.kinds(entity)),
            names.changes(entity),
            names.state(entity),
            names.replies(entity),
            names.dead_letters(entity),
        )
    ]


@dataclass
class Log:
    """What a reader has seen, in the order of each partition."""

    names: TopicNames
    records: list[Incoming] = field(default_factory=list)
    state: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    """(topic, key) to the last value, as compaction leaves it."""
    replied: Counter[str] = field(default_factory=Counter)
    """Command id to the number of its replies."""
    on_reply: Callable[[dict[str, Any]], None] = lambda _reply: None

    def take(self, records: Iterable[Incoming]) -> None:
        for record in records:
            self.records.append(record)
            if record.position.topic.endswith(".state"):
                self.state[record.position.topic, (record.key or b"").decode()] = record.value
            elif record.position.topic.endswith(".replies"):
                reply = json.loads(record.value or b"")
                self.replied[reply["command"]["id"]] += 1
                self.on_reply(reply)

    def of(self, topic: str) -> list[Incoming]:
        return [record for record in self.records if record.position.topic == topic]

    def by_partition(self) -> dict[tuple[str, int], list[int]]:
        """Offsets seen of each partition."""
        found: dict[tuple[str, int], list[int]] = {}
        for record in self.records:
            found.setdefault((record.position.topic, record.position.partition), []).append(record.position.offset)
        return found


@asynccontextmanager
async def reader(servers: str, topics: Iterable[str], partitions: int, **options: Any) -> AsyncGenerator[Consumer]:
    """A consumer of whole topics from their beginning."""
    settings = {
        "bootstrap.servers": servers,
        "group.id": "readers of the fault tests",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        **options,
    }
    consumer = Consumer(settings)
    try:
        consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in range(partitions)])
        yield consumer
    finally:
        await asyncio.to_thread(consumer.close)


async def follow(consumer: Consumer, log: Log) -> None:
    """Read on into the log, until cancelled."""
    while True:
        log.take([_incoming(message) for message in await asyncio.to_thread(consumer.consume, 500, 0.2)])


async def everything(servers: str, topics: Iterable[str], partitions: int, **options: Any) -> list[Incoming]:
    """All there is from the beginning to the end; with read_committed the end is the last stable offset."""
    topics, found = list(topics), []
    left = {(topic, number) for topic in topics for number in range(partitions)}
    async with reader(servers, topics, partitions, **{"enable.partition.eof": True, **options}) as consumer:
        async with asyncio.timeout(SILENCE_S) as patience:
            while left:
                for message in await asyncio.to_thread(consumer.consume, 500, 0.2):
                    error = message.error()
                    if error is not None and error.code() == KafkaError._PARTITION_EOF:
                        left.discard((str(message.topic()), int(message.partition() or 0)))
                    else:
                        found.append(_incoming(message))
                        patience.reschedule(asyncio.get_running_loop().time() + SILENCE_S)
    return found


def _incoming(message: Message) -> Incoming:
    assert message.error() is None, message.error()
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    _, timestamp_ms = message.timestamp()
    headers = tuple((name, _bytes(value)) for name, value in dict(message.headers() or ()).items())
    key, value = message.key(), message.value()
    where = Position(topic, partition, offset)
    return Incoming(where, key and _bytes(key), value and _bytes(value), headers, timestamp_ms)


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
