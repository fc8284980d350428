"""Waiting for completeness: until everything that Copper shows up to a moment has been published.

Called by `copper-bridge wait`, and by consumers in Python who must not look at their tables before that. Joins no
consumer group.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.client.connecting import Kafka, consumer, incoming, places, read_from
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.contract.watermarks import Watermark, read_watermark

SKEW_SECONDS = 300
"""So much may the clocks of Copper, the bridge and Kafka differ, together."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended. `watermarks` has the last one that was seen of each entity, if one was."""

    complete: bool
    watermarks: Mapping[str, Watermark]


async def wait_complete(
    kafka: Kafka, names: TopicNames, account: str, entities: Collection[str], to: float, within_s: float
) -> Waited:
    """Wait until the watermarks of all `entities` say that they are complete to `to`, for at most `within_s` seconds.

    `to` is Unix seconds by Copper's clock. A watermark follows the present by `copper.overlap`, which allows for the
    lag of Copper's search, and by one poll: waiting for now takes some minutes. What it promises is committed by then:
    whoever has read an event topic at `read_committed` up to where it ends now has seen it. Raises `KafkaTrouble`.
    """
    seen: dict[str, Watermark] = {}
    wanted = frozenset(entities)
    try:
        async with asyncio.timeout(within_s):
            found = (await places(kafka, names.watermarks))[names.watermarks]
            place = TopicPartition(names.watermarks, shard_of(account, len(found)))
            async with consumer(kafka) as client:
                read_from(client, {place: await _start(client, place, to)})
                while not _complete(seen, wanted, to):
                    mark = read_watermark(incoming(await client.getone()))
                    if mark is not None and mark.account == account and mark.entity in wanted:
                        seen[mark.entity] = mark
                return Waited(complete=True, watermarks=seen)
    except TimeoutError:
        return Waited(_complete(seen, wanted, to), seen)


async def _start(client: AIOKafkaConsumer, place: TopicPartition, to: float) -> int:
    """A watermark that says `to` was written after `to`, so nothing before needs to be read."""
    found = (await client.offsets_for_times({place: max(0, int(to) - SKEW_SECONDS) * 1000}))[place]
    if found is not None:
        return int(found.offset)
    ends: dict[TopicPartition, int] = await client.end_offsets([place])
    return ends[place]


def _complete(seen: Mapping[str, Watermark], wanted: frozenset[str], to: float) -> bool:
    return seen.keys() >= wanted and all(mark.complete_to >= int(to) for mark in seen.values())
