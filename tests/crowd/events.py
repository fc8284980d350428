"""What was published for a crowd, read back from Kafka, against what people did: lost, doubled, invented."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames
from tests.crowd.copper import Edit

FOLLOWED = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))
BATCH = 5000
Where = tuple[str, str, str]
"""Entity, `account/id` and, of a version that somebody made, its mark."""


@dataclass
class Published:
    """What lies in the topics of changes."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Snapshot rows by entity and key."""
    versions: dict[Where, list[float]] = field(default_factory=dict)
    """Every other version with when each of its events was written, Unix seconds."""
    bytes: int = 0

    def take(self, message: Message) -> None:
        entity = (message.topic() or "").split(".")[-2]
        key, value = (message.key() or b"").decode(), message.value() or b""
        self.bytes += len(value)
        kind = str(dict(message.headers() or ())["ce_id"], "ascii").rpartition(":")[2]  # type: ignore[arg-type] # bytes
        if kind == "snapshot":
            self.rows[entity, key] += 1
        else:
            mark = orjson.loads(value)["after"]["details"]
            self.versions.setdefault((entity, key, mark), []).append(message.timestamp()[1] / 1000)

    def lost(self, edits: Sequence[Edit]) -> list[Where]:
        """Edits without an event."""
        return [where for where in map(_where, edits) if where not in self.versions]

    def doubled(self) -> list[object]:
        """What was told more than once."""
        rows = [where for where, times in self.rows.items() if times > 1]
        return [*rows, *(where for where, times in self.versions.items() if len(times) > 1)]

    def invented(self, edits: Sequence[Edit]) -> list[Where]:
        """Events that nobody's edit explains."""
        return [*self.versions.keys() - set(map(_where, edits))]

    def delays(self, edits: Sequence[Edit]) -> dict[str, list[float]]:
        """By account the seconds from each edit to its event."""
        found: dict[str, list[float]] = {}
        for edit in edits:
            for at in self.versions.get(_where(edit), ())[:1]:
                found.setdefault(edit.account, []).append(at - edit.at)
        return found


def _where(edit: Edit) -> Where:
    return edit.entity, f"{edit.account}/{edit.id}", edit.mark


async def published(servers: str, prefix: str, partitions: int) -> Published:
    """All there is now."""
    return await asyncio.to_thread(_published, servers, prefix, partitions)


def _published(servers: str, prefix: str, partitions: int) -> Published:
    topics = [TopicNames(prefix).changes(entity) for entity in FOLLOWED]
    found = Published()
    for message in _everything(servers, topics, partitions):
        found.take(message)
    return found


def _everything(servers: str, topics: Iterable[str], partitions: int) -> Iterator[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "reader of the crowd",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    left = {(topic, number) for topic in topics for number in range(partitions)}
    consumer.assign([TopicPartition(*each, 0) for each in left])
    try:
        while left:
            for message in consumer.consume(BATCH, 5.0):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard((str(message.topic()), int(message.partition() or 0)))
    finally:
        consumer.close()
