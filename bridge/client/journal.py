"""The journal of a command: what was attempted for it, when, and how it ended, for operators.

Called by `copper-bridge journal show`. Reads the journal topic, as far back as it reaches (30 days); compaction may
have taken older steps of a command, never its last. Joins no consumer group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bridge.client.connecting import Kafka, consumer, places, read_from, read_to
from bridge.contract.journal import Attempted, Finished, Void, read_entry
from bridge.contract.records import Incoming
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames


@dataclass(frozen=True, slots=True)
class Step:
    """An entry about a command as it was written. `at` is Unix seconds.

    `entry` None: the attempt before it was taken back like a `Void` one, by an earlier version.
    """

    at: float
    action: str | None
    entry: Attempted | Void | Finished | None


async def journal(
    kafka: Kafka, names: TopicNames, command_id: str, account: str | None = None
) -> Mapping[str, Sequence[Step]]:
    """Every account that knows the command's id, with its steps in order. Raises `KafkaTrouble`.

    With an `account` only its partition is read.
    """
    found = (await places(kafka, names.journal))[names.journal]
    if account is not None:
        found = {place for place in found if place.partition == shard_of(account, len(found))}
    steps: dict[str, list[Step]] = {}
    async with consumer(kafka) as client:
        ends = await client.end_offsets(found)
        read_from(client, await client.beginning_offsets(found))
        async for record in read_to(client, ends):
            owner, _, name = (record.key or b"").decode(errors="replace").partition("/")
            if name == command_id and account in {None, owner} and (step := _step(record)) is not None:
                steps.setdefault(owner, []).append(step)
    return steps


def _step(record: Incoming) -> Step | None:
    """None for an entry of a later version."""
    at = record.timestamp_ms / 1000
    if record.value is None:
        return Step(at, None, None)
    try:
        entry: Any = orjson.loads(record.value)
        return Step(at, entry.get("action"), read_entry(entry))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
