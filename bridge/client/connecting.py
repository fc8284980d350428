"""Kafka clients for callers and listeners, with the one thing that can be said about their failures.

Called by the other modules of `bridge.client`. Knows aiokafka, nothing of messages.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bridge.access import Access, denied
from bridge.contract.records import Incoming, Position

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of is told once, as `KafkaTrouble`


STOP_SECONDS = 3.0
LOOK_MS = 1000
Kafka = str | Access
"""`host:port`, several with commas, or that and the way in."""
BATCH = 100
"""Records of all partitions together that are taken at a time where their order matters."""


class KafkaTrouble(Exception):
    """Kafka is not reached, refuses, or lacks a topic; the text is one line for the user."""


@asynccontextmanager
async def consumer(kafka: Kafka) -> AsyncGenerator[AIOKafkaConsumer]:
    """A consumer without a group, which sees committed records only. Raises `KafkaTrouble`, also from the block."""
    client = AIOKafkaConsumer(**way(kafka).arguments, isolation_level="read_committed")
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise await trouble(kafka, error) from error
    finally:
        await _let_go(client)


@asynccontextmanager
async def producer(kafka: Kafka) -> AsyncGenerator[AIOKafkaProducer]:
    """A producer that waits for all in-sync replicas. Raises `KafkaTrouble`, also from the block."""
    client = AIOKafkaProducer(**way(kafka).arguments, acks="all")
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise await trouble(kafka, error) from error
    finally:
        await _let_go(client)


async def _let_go(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client; without a broker that may never end, or end in a cancellation that is not ours."""
    await asyncio.wait([asyncio.ensure_future(client.stop())], timeout=STOP_SECONDS)


def way(kafka: Kafka) -> Access:
    """How this Kafka is reached."""
    return kafka if isinstance(kafka, Access) else Access(kafka)


async def trouble(kafka: Kafka, error: KafkaError) -> KafkaTrouble:
    """What can be said of an error of the client library; for a lost connection one more is tried."""
    access, what = way(kafka), denied(error)
    if what is None and (obstacle := await access.obstacle()) is not None:
        return KafkaTrouble(f"Kafka cannot be used: {obstacle}")
    return KafkaTrouble(f"Kafka at {access.bootstrap_servers} cannot be used: {what or type(error).__name__}")


@asynccontextmanager
async def directory(kafka: Kafka) -> AsyncGenerator[AIOKafkaAdminClient]:
    """For `partitions`: a consumer knows only the partitions of topics that it reads already."""
    client = AIOKafkaAdminClient(**way(kafka).arguments)
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise await trouble(kafka, error) from error
    finally:
        await client.close()


async def partitions(client: AIOKafkaAdminClient) -> dict[str, set[TopicPartition]]:
    """Every topic with its partitions, as the cluster has them now."""
    return {
        topic["topic"]: {TopicPartition(topic["topic"], row["partition"]) for row in topic["partitions"]}
        for topic in await client.describe_topics()
    }


async def places(kafka: Kafka, *topics: str) -> dict[str, set[TopicPartition]]:
    """The partitions of topics that must be there. Raises `KafkaTrouble`, also when one is not."""
    async with directory(kafka) as client:
        known = await partitions(client)
    missing = [topic for topic in topics if topic not in known]
    if missing:
        raise KafkaTrouble(
            f"no topic {' and no '.join(missing)}, or none this user may see; "
            "does a bridge run on this Kafka, with this prefix?"
        )
    return {topic: known[topic] for topic in topics}


def read_from(client: AIOKafkaConsumer, starts: Mapping[TopicPartition, int]) -> None:
    """Assign these partitions, each to be read from its offset."""
    client.assign(list(starts))
    for place, offset in starts.items():
        client.seek(place, offset)


async def read_to(client: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncGenerator[Incoming]:
    """Everything that is committed before those offsets, from where the assigned partitions are read."""
    while behind := [place for place, end in ends.items() if await client.position(place) < end]:
        for records in (await client.getmany(*behind, timeout_ms=LOOK_MS)).values():
            for record in records:
                yield incoming(record)


async def read_in_order(client: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> AsyncGenerator[Incoming]:
    """The same, the oldest first over all partitions. Holds no more than a few batches of each."""
    waiting: dict[TopicPartition, deque[Incoming]] = {place: deque() for place in ends}
    while True:
        hungry = [place for place, records in waiting.items() if not records]
        behind = [place for place in hungry if await client.position(place) < ends[place]]
        if behind:
            for place, records in (await client.getmany(*behind, timeout_ms=LOOK_MS, max_records=BATCH)).items():
                waiting[place].extend(map(incoming, records))
            continue
        full = [records for records in waiting.values() if records]
        if not full:
            return
        yield min(full, key=lambda records: records[0].timestamp_ms).popleft()


def incoming(record: object) -> Incoming:
    """What aiokafka read, as the contract's own value."""
    names = ("topic", "partition", "offset", "key", "value", "headers", "timestamp")
    topic, partition, offset, key, value, headers, timestamp = (getattr(record, name) for name in names)
    return Incoming(Position(topic, partition, offset), key, value, tuple(headers), timestamp)
