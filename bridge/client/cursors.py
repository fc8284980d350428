"""Cursors for operators: how far every scan and every input topic has come, out of the cursors topic.

Called by `copper-bridge cursor` and `webhooks`. Only reads: cursors are changed by their shard alone, which is asked
through the control topic. Joins no consumer group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.client.connecting import Kafka, consumer, places, read_from, read_to
from bridge.contract.cursors import ScanCursor, SnapshotCursor, read_cursor, snapshot_key
from bridge.contract.topics import TopicNames


@dataclass(frozen=True, slots=True)
class Scanning:
    """How far the scans of one entity of one account have come; `snapshot` is one that was asked for and runs."""

    account: str
    entity: str
    scan: ScanCursor
    snapshot: SnapshotCursor | None


@dataclass(frozen=True, slots=True)
class Consuming:
    """How far one partition of an input topic has been worked off.

    `next` is the lowest offset that may have to be worked on, `ahead` how many after it are done with, `end` where the
    partition ends. Offsets of transaction markers count.
    """

    topic: str
    partition: int
    next: int
    ahead: int
    end: int

    @property
    def behind(self) -> int:
        """How many offsets have still to be worked on, at most."""
        return max(0, self.end - self.next - self.ahead)


@dataclass(frozen=True, slots=True)
class Cursors:
    """What the cursors topic holds. `subscriptions`: account to the ids of those that the bridge remembers to have."""

    scans: Sequence[Scanning]
    inputs: Sequence[Consuming]
    subscriptions: Mapping[str, Sequence[int]]


async def cursors(kafka: Kafka, names: TopicNames) -> Cursors:
    """Everything, as committed. Raises `KafkaTrouble`."""
    found = (await places(kafka, names.cursors))[names.cursors]
    async with consumer(kafka) as client:
        kept = await _kept(client, found)
        return Cursors(_scans(kept), await _inputs(client, kept), _subscriptions(kept))


_Kept = Mapping[tuple[str, int], Any]
"""Key and partition to the decoded value."""


async def _kept(client: AIOKafkaConsumer, found: set[TopicPartition]) -> _Kept:
    ends = await client.end_offsets(found)
    read_from(client, await client.beginning_offsets(found))
    last: dict[tuple[str, int], bytes] = {}
    async for record in read_to(client, ends):
        which = (record.key or b"").decode(errors="replace"), record.position.partition
        if record.value is None:
            last.pop(which, None)
        else:
            last[which] = record.value
    return {which: orjson.loads(value) for which, value in sorted(last.items())}


def _scans(kept: _Kept) -> list[Scanning]:
    scans = []
    for (key, shard), value in kept.items():
        kind, *about = key.split("/")
        if kind == "scan":
            account, entity = about
            taken = kept.get((snapshot_key(account, entity), shard))
            snapshot = None if taken is None else read_cursor(SnapshotCursor, taken)
            scans.append(Scanning(account, entity, read_cursor(ScanCursor, value), snapshot))
    return scans


async def _inputs(client: AIOKafkaConsumer, kept: _Kept) -> list[Consuming]:
    read = {
        TopicPartition(topic, shard): value
        for (key, shard), value in kept.items()
        for kind, _, topic in [key.partition("/")]
        if kind == "position"
    }
    ends = await client.end_offsets(list(read)) if read else {}
    return [
        Consuming(place.topic, place.partition, value["next"], len(value["finished"]), ends[place])
        for place, value in read.items()
    ]


def _subscriptions(kept: _Kept) -> dict[str, Sequence[int]]:
    return {
        account: value["ids"]
        for (key, _), value in kept.items()
        for kind, _, account in [key.partition("/")]
        if kind == "subscriptions"
    }
