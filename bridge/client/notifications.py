"""Notifications: what the bridge has told its operators, what it tells them now, and what it tells when it is asked.

Called by `copper-bridge snapshot`, `sweep`, `deletes` and `progress`. Joins no consumer group, leaves no trace but the
control message.
"""

from collections.abc import AsyncGenerator, Callable, Mapping

from aiokafka import TopicPartition

from bridge.client.connecting import Kafka, consumer, incoming, places, producer, read_from, read_to
from bridge.contract.announcements import Announcement, Told, read_announcement
from bridge.contract.control import Control, control_record
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

Since = Mapping[TopicPartition, int]
"""The offsets to go on from: opaque to callers."""


async def history(kafka: Kafka, names: TopicNames) -> tuple[list[Announcement], Since]:
    """All that the notifications topic holds (30 days unless it was given another retention), oldest first.

    With it where `following` goes on. Raises `KafkaTrouble`.
    """
    told: list[Announcement] = []
    since = await replay(kafka, names, told.append)
    return sorted(told, key=lambda said: said.at_ms), since  # stable: one account's stay in their partition's order


async def replay(kafka: Kafka, names: TopicNames, hear: Callable[[Announcement], None]) -> Since:
    """Tell `hear` all that the topic holds, each partition in its order; gives where `following` goes on."""
    found = (await places(kafka, names.notifications))[names.notifications]
    async with consumer(kafka) as client:
        ends: Since = await client.end_offsets(found)
        read_from(client, await client.beginning_offsets(found))
        async for record in read_to(client, ends):
            if (said := read_announcement(record)) is not None:
                hear(said)
    return ends


async def following(kafka: Kafka, since: Since) -> AsyncGenerator[Announcement]:
    """What is told from there on, for ever. Raises `KafkaTrouble`."""
    async with consumer(kafka) as client:
        read_from(client, since)
        async for record in client:
            if (said := read_announcement(incoming(record))) is not None:
                yield said


async def ask(kafka: Kafka, names: TopicNames, control: Control) -> AsyncGenerator[Announcement]:
    """Write a control message and give what is told under its id, for ever: the caller knows when it is over.

    And that the account is gone, which is told under no id: it may have been asked for twice. Raises `KafkaTrouble`.
    """
    found = await places(kafka, names.control, names.notifications)
    partitions = len(found[names.control])
    place = TopicPartition(names.notifications, shard_of(control.account, partitions))
    async with consumer(kafka) as ears, producer(kafka) as mouth:
        read_from(ears, await ears.end_offsets([place]))  # before anything is said, so nothing is missed
        record = control_record(control, names, partitions)
        await mouth.send_and_wait(record.topic, record.value, key=record.key, partition=record.partition)
        async for answer in ears:
            said = read_announcement(incoming(answer))
            if said is not None and (said.control_id == control.id or _is_gone(said, control)):
                yield said


def _is_gone(said: Announcement, control: Control) -> bool:
    return said.told is Told.ACCOUNT_DISCONNECTED and said.account == control.account
