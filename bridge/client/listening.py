"""Listening: the records of all topics that match patterns, as they are committed.

Called by `copper-bridge listen` and the demo. Joins no consumer group and leaves no trace.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from fnmatch import fnmatchcase

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.client.connecting import Kafka, consumer, directory, incoming, partitions
from bridge.contract.records import Incoming

_NEW_TOPICS_EVERY_S = 1.0
_BEGINNING = 0.0


async def listen(
    kafka: Kafka, patterns: Sequence[str], *, since: float | None, ready: Callable[[Sequence[str]], None]
) -> AsyncGenerator[Incoming]:
    """Every record of every topic that matches one of `patterns` (`copper.*.changes`), for ever.

    Each partition from its first record that is as young as `since` (Unix seconds, 0: its beginning), or with None from
    where it ends. `ready` is told the topics once the starting points are fixed: what is committed later will be seen.
    A topic that is made later is listened to from its beginning. Raises `KafkaTrouble`.
    """
    async with directory(kafka) as topics, consumer(kafka) as client:
        await _follow(client, await _matching(topics, patterns), since)
        ready(sorted({partition.topic for partition in client.assignment()}))
        clock = asyncio.get_running_loop().time
        looked_at = clock()
        while True:
            for records in (await _next(client)).values():
                for record in records:
                    yield incoming(record)
            if clock() - looked_at >= _NEW_TOPICS_EVERY_S:
                await _follow(client, await _matching(topics, patterns), _BEGINNING)
                looked_at = clock()


async def _next(client: AIOKafkaConsumer) -> dict[object, list[object]]:
    if client.assignment():
        found: dict[object, list[object]] = await client.getmany(timeout_ms=int(_NEW_TOPICS_EVERY_S * 1000))
        return found
    await asyncio.sleep(_NEW_TOPICS_EVERY_S)
    return {}


async def _matching(topics: AIOKafkaAdminClient, patterns: Sequence[str]) -> set[TopicPartition]:
    found = await partitions(topics)
    return {
        partition
        for name in found
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        for partition in found[name]
    }


async def _follow(client: AIOKafkaConsumer, wanted: set[TopicPartition], since: float | None) -> None:
    """Assign what matches now; what was assigned goes on where it is, for assigning anew forgets that.

    aiokafka's own subscription by pattern forgets it too, and never returns while nothing matches.
    """
    known = {partition: await client.position(partition) for partition in client.assignment() & wanted}
    new = [partition for partition in wanted if partition not in known]
    if not new:
        return
    starts = await _starts(client, new, since)
    client.assign(wanted)
    for partition, offset in (known | starts).items():
        client.seek(partition, offset)


async def _starts(
    client: AIOKafkaConsumer, places: Sequence[TopicPartition], since: float | None
) -> dict[TopicPartition, int]:
    if since == _BEGINNING:
        begins: dict[TopicPartition, int] = await client.beginning_offsets(places)
        return begins
    ends: dict[TopicPartition, int] = await client.end_offsets(places)
    if since is None:
        return ends
    found = await client.offsets_for_times(dict.fromkeys(places, round(since * 1000)))
    return {place: ends[place] if found[place] is None else found[place].offset for place in places}
