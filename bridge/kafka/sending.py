"""Sending a transaction's records: in order per partition, as whole batches.

Called by the ledger between begin and commit. A batch at a time costs a third of a record at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer

from bridge.contract.records import Outgoing
from bridge.contract.sharding import partition_of

T = TypeVar("T")


async def send(producer: AIOKafkaProducer, records: Sequence[Outgoing], shard: int) -> Mapping[str, int]:
    """Send in order per partition, as whole batches: a third of the cost of record by record.

    Gives the next offset of each topic within the shard's own partition.
    """
    partitions = {topic: len(await producer.partitions_for(topic)) for topic in {record.topic for record in records}}
    lanes: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    for record in records:
        lanes[record.topic, _partition(record, partitions[record.topic], shard)].append(record)
    sent = await _all(_send_lane(producer, *lane, waiting) for lane, waiting in lanes.items())
    return {topic: end for (topic, partition), end in zip(lanes, sent, strict=True) if partition == shard}


def _partition(record: Outgoing, count: int, shard: int) -> int:
    if record.partition is not None:
        return record.partition
    return shard % count if record.key is None else partition_of(record.key, count)


async def _send_lane(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]) -> int:
    """Send the records of one partition; gives the offset after the last."""
    deliveries: list[Awaitable[Any]] = []
    batch, count = producer.create_batch(), 0
    for record in records:
        while batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers)) is None:
            deliveries.append(await producer.send_batch(batch, topic, partition=partition))
            batch, count = producer.create_batch(), 0
        count += 1
    deliveries.append(await producer.send_batch(batch, topic, partition=partition))
    *_, last = await _all(deliveries)
    return int(last.offset) + count


async def _all(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all, or the first failure once none is under way any more."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
