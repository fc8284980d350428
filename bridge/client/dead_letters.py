"""Dead letters: found in their topics, and put back, each once.

Called by `copper-bridge dlt`. Joins no consumer group. A letter stays in its topic for ever; that it was put back or
parked is told on the notifications topic, in the transaction that does it, and is known from there.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from bridge.client.connecting import Kafka, KafkaTrouble, consumer, places, read_from, read_in_order, trouble, way
from bridge.client.notifications import replay
from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.dead_letters import Letter, read_letter
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.policy.redriving import Kept, Search, State, Step, states

LARGEST_REQUEST = 2 * 1024 * 1024
AT_ONCE = 50
"""Letters in one transaction."""


@dataclass(frozen=True, slots=True)
class Found:
    """A letter and what has become of it."""

    letter: Letter
    state: State
    partitions: int
    """Of the topic it lies in, and so of every topic of its bridge."""


async def letters(kafka: Kafka, names: TopicNames, search: Search) -> AsyncGenerator[Found]:
    """The letters that are meant and lie there now, oldest first, as they are read. Raises `KafkaTrouble`."""
    known = await places(kafka, *_topics(names, search))
    become = await _become(kafka, names)
    async with consumer(kafka) as client:
        found = {place for each in known.values() for place in each}
        begins, ends = await client.beginning_offsets(found), await client.end_offsets(found)
        if search.position is not None:
            begins, ends = _only(search, begins, ends)
        read_from(client, begins)
        async for record in read_in_order(client, ends):
            letter = read_letter(record, names)
            if letter is not None and search.wants(letter):
                state = become.get(str(letter.position), State.WAITING)
                yield Found(letter, state, len(known[letter.position.topic]))


async def redrive(kafka: Kafka, names: TopicNames, steps: AsyncIterable[Step]) -> AsyncGenerator[Sequence[Step | Kept]]:
    """Take the steps, and tell of them; gives what has been done, as it is committed. Raises `KafkaTrouble`.

    Only one at a time: whoever begins ends the transaction of whoever was before, and then looks what was done.
    """
    await places(kafka, names.parked, *map(names.commands, CATALOGUE.entities))
    async with _alone(kafka, names) as client:
        become = await _become(kafka, names)
        async for some in _chunks(steps):
            taken = [_unless_done(step, become) for step in some]
            async with client.transaction():
                await _write(client, names, [each for each in taken if isinstance(each, Step)])
            yield taken


async def _chunks(steps: AsyncIterable[Step]) -> AsyncGenerator[list[Step]]:
    some: list[Step] = []
    async for step in steps:
        some.append(step)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _topics(names: TopicNames, search: Search) -> Sequence[str]:
    if search.position is not None:
        return [search.position.topic]
    if search.parked:
        return [names.parked]
    entities = CATALOGUE.entities if search.entity is None else [search.entity]
    return [names.dead_letters(entity) for entity in entities]


def _only(
    search: Search, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Nothing but the one position, if it is there."""
    where = search.position
    asked = {place: where.offset for place in begins if where and place.partition == where.partition}
    return (
        {place: max(begins[place], offset) for place, offset in asked.items()},
        {place: min(ends[place], offset + 1) for place, offset in asked.items()},
    )


async def _become(kafka: Kafka, names: TopicNames) -> Mapping[str, State]:
    become: dict[str, Told] = {}

    def hear(said: Announcement) -> None:
        if "letter" in said.data:
            become[str(said.data["letter"])] = said.told

    await replay(kafka, names, hear)
    return states(become)


def _unless_done(step: Step, become: Mapping[str, State]) -> Step | Kept:
    state = become.get(str(step.letter.position))
    return step if state is None else Kept(step.letter, f"somebody else was quicker: it has been {state}")


async def _write(client: AIOKafkaProducer, names: TopicNames, steps: Sequence[Step]) -> None:
    at_ms = round(time.time() * 1000)
    sent = []
    for step in steps:
        notice = announcement_record(step.announcement(at_ms), names, step.letter.position.partition)
        sent += [await _send(client, record) for record in (step.record, notice)]
    await asyncio.gather(*sent)


async def _send(client: AIOKafkaProducer, record: Outgoing) -> "asyncio.Future[object]":
    written: asyncio.Future[object] = await client.send(
        record.topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
    )
    return written


@asynccontextmanager
async def _alone(kafka: Kafka, names: TopicNames) -> AsyncGenerator[AIOKafkaProducer]:
    client = AIOKafkaProducer(
        **way(kafka).arguments,
        transactional_id=f"{names.prefix}.redrive",
        max_request_size=LARGEST_REQUEST,
    )
    try:
        await client.start()
        yield client
    except ProducerFenced as error:
        raise KafkaTrouble("another redrive has begun; what this one has not told of is as it was") from error
    except KafkaError as error:
        raise await trouble(kafka, error) from error
    finally:
        await client.stop()
