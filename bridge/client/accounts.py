"""Accounts that connected themselves, for operators, out of the accounts topic.

Called by `copper-bridge accounts`. Only reads: what an account is is written by its owner alone, which is asked through
the control topic. Joins no consumer group; tokens stay ciphertext.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.client.connecting import Kafka, consumer, places, read_from, read_to
from bridge.contract.accounts import Connected, Entry, Pending, read_entry
from bridge.contract.topics import TopicNames


@dataclass(frozen=True, slots=True)
class Directory:
    """What the topic holds, by account, and its number of partitions."""

    partitions: int
    connected: Mapping[str, Connected] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)


async def directory(kafka: Kafka, names: TopicNames) -> Directory:
    """Everything, as committed. Raises `KafkaTrouble`."""
    found = (await places(kafka, names.accounts))[names.accounts]
    last: dict[tuple[type[Entry], str], Entry | None] = {}
    async with consumer(kafka) as client:
        ends = await client.end_offsets(found)
        read_from(client, await client.beginning_offsets(found))
        async for record in read_to(client, ends):
            if (read := read_entry(record)) is not None:
                kind, account, entry = read
                last[kind, account] = entry
    connected = {name: each for (_, name), each in last.items() if isinstance(each, Connected)}
    pending = {name: each for (_, name), each in last.items() if isinstance(each, Pending)}
    return Directory(len(found), connected, pending)
