"""The bridge's topics on the cluster: made when missing, verified when there, altered when that is asked for.

Called by `bridge.app` at start-up and for `topics plan` and `apply`. Knows the wanted topics as values and Kafka's
admin requests; what differs is judged by `bridge.policy.topics`. Never deletes, never changes a number of partitions.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from bridge.access import ACLS, denied
from bridge.contract.topics import TopicSpec
from bridge.kafka.connection import Connection
from bridge.policy.topics import Difference, Found, Missing, Setting, differences, line

TOPIC_ALREADY_EXISTS = 36
UNKNOWN_TOPIC = 3
OF_THE_TOPIC = 1
"""Where a setting comes from: set on this very topic, not on a broker or by default."""

SEEN_SECONDS = 0.05
"""Pause between two looks at the metadata while a new topic spreads over the brokers."""


class TopicsUnfit(Exception):
    """The topics are not as the bridge needs them. The text is the report: one line each, with the way out."""


class KafkaUnreachable(Exception):
    """No broker answers, or none as it should; the text says why, as far as that is known."""


async def ensure(
    connection: Connection, specs: Sequence[TopicSpec], *, partitions: int, replication_factor: int, create: bool
) -> None:
    """Make what is missing (if `create`) and check what is there.

    Raises:
        TopicsUnfit: something is missing or other than wanted; every problem is named.
        KafkaUnreachable: no broker answers.
    """
    async with administering(connection) as admin:
        differ = await _differences(admin, specs, partitions, replication_factor)
        missing = [each for each in differ if isinstance(each, Missing)]
        if missing and create:
            await _create(admin, missing)
            await _appeared(admin, [each.topic for each in missing], connection.request_seconds)
            differ = await _differences(admin, specs, partitions, replication_factor)
    problems = [line(each) for each in differ if each.vital]
    if problems:
        raise TopicsUnfit("\n".join(problems))


async def compared(
    connection: Connection, specs: Sequence[TopicSpec], *, partitions: int, replication_factor: int
) -> list[Difference]:
    """What is other than wanted; changes nothing.

    Raises:
        TopicsUnfit: the settings of a topic cannot be read.
        KafkaUnreachable: no broker answers.
    """
    async with administering(connection) as admin:
        return await _differences(admin, specs, partitions, replication_factor)


async def mend(connection: Connection, differ: Sequence[Difference]) -> None:
    """Make what is missing and alter the settings; what is unfit is left as it is.

    Raises:
        TopicsUnfit: the cluster refuses; what was done before stays done.
        KafkaUnreachable: no broker answers.
    """
    missing = [each for each in differ if isinstance(each, Missing)]
    settings = [each for each in differ if isinstance(each, Setting)]
    async with administering(connection) as admin:
        if missing:
            await _create(admin, missing)
            await _appeared(admin, [each.topic for each in missing], connection.request_seconds)
        if settings:
            await _alter(admin, settings)
            await _took(admin, settings, connection.request_seconds)


@contextlib.asynccontextmanager
async def administering(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; trouble with the cluster inside the block is `KafkaUnreachable`."""
    try:
        async with connection.admin() as admin:
            yield admin
    except (KafkaError, TimeoutError) as problem:
        raise KafkaUnreachable(await connection.why(problem)) from problem


async def cluster_id(connection: Connection) -> str:
    """The id of the cluster.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    async with administering(connection) as admin:
        return str((await admin.describe_cluster())["cluster_id"])


async def _differences(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], partitions: int, replication_factor: int
) -> list[Difference]:
    there = await find(admin, [spec.name for spec in specs])
    return list(differences(specs, there, partitions=partitions, replicas=replication_factor))


async def find(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    """Those of the named topics that exist. Asks for all topics, since asking for one by name may create it."""
    wanted = set(names)
    described = {topic["topic"]: topic for topic in await admin.describe_topics() if topic["topic"] in wanted}
    if not described:
        return {}
    entries = await _entries(admin, sorted(described))
    return {name: _found(described[name], rows) for name, rows in entries.items()}


def _found(topic: Any, entries: Sequence[Any]) -> Found:
    """What two answers say of a topic. An entry begins with name, value, read-only and source."""
    return Found(
        partitions=len(topic["partitions"]),
        config={entry[0]: entry[1] for entry in entries},
        replicas=min((len(each["replicas"]) for each in topic["partitions"]), default=0),
        own={entry[0]: entry[1] for entry in entries if entry[3] == OF_THE_TOPIC},
    )


async def makeable(connection: Connection, missing: Sequence[Missing]) -> list[str]:
    """Why topics could not be made, one line each; makes none.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    async with administering(connection) as admin:
        return await _created(admin, missing, only_try=True)


async def _create(admin: AIOKafkaAdminClient, missing: Sequence[Missing]) -> None:
    if refusals := await _created(admin, missing):
        raise TopicsUnfit("\n".join(refusals))


async def _created(admin: AIOKafkaAdminClient, missing: Sequence[Missing], *, only_try: bool = False) -> list[str]:
    """Why topics were not made."""
    wanted = [NewTopic(each.topic, each.partitions, each.replicas, topic_configs=dict(each.config)) for each in missing]
    answer = await admin.create_topics(wanted, validate_only=only_try)
    # create_topics returns an error per topic and raises for none of them
    return [_refusal(*row) for row in answer.topic_errors if row[1] not in (0, TOPIC_ALREADY_EXISTS)]


async def _alter(admin: AIOKafkaAdminClient, settings: Sequence[Setting]) -> None:
    """The request replaces all that a topic has of its own, so what it has is sent along."""
    configs = {each.topic: dict(each.own) for each in settings}
    for each in settings:
        configs[each.topic][each.key] = each.wanted
    wanted = [ConfigResource(ConfigResourceType.TOPIC, topic, configs=config) for topic, config in configs.items()]
    rows = [row for answer in await admin.alter_configs(wanted) for row in answer.resources]
    if refused := [row for row in rows if row[0]]:
        raise TopicsUnfit(
            "\n".join(f"{row[3]}: could not be altered: {_reason(row[0], row[1], 'AlterConfigs')}" for row in refused)
        )


def _refusal(name: str, code: int, message: str | None = None, *_: Any) -> str:
    return f"{name}: could not be created: {_reason(code, message, 'Create')}"


def _reason(code: int, message: str | None, operation: str) -> str:
    error = for_code(code)
    if denied(error()):
        return f"Kafka does not let this user {operation}; {ACLS}"
    return f"{error.__name__}. {message or ''}".rstrip()


async def _appeared(admin: AIOKafkaAdminClient, names: Sequence[str], seconds: float) -> None:
    there: dict[str, Found] = {}
    try:
        async with asyncio.timeout(seconds):
            while len(there) < len(names):
                await asyncio.sleep(SEEN_SECONDS)
                there = await find(admin, names)
    except TimeoutError:
        hidden = ", ".join(sorted(set(names) - there.keys()))
        raise KafkaUnreachable(f"{hidden}: there, but not to be seen; may this user describe it? {ACLS}") from None


async def _took(admin: AIOKafkaAdminClient, settings: Sequence[Setting], seconds: float) -> None:
    """A change shows when the brokers have heard of it, too."""
    async with asyncio.timeout(seconds):
        while True:
            there = await find(admin, [each.topic for each in settings])
            if all(there[each.topic].config[each.key] == each.wanted for each in settings):
                return
            await asyncio.sleep(SEEN_SECONDS)


async def _entries(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Any]:
    """The settings of topics, entry by entry. One that is so new that not every broker knows it is left out."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in names]
    answers: list[Any] = await admin.describe_configs(resources)
    rows = [row for answer in answers for row in answer.resources if row[0] != UNKNOWN_TOPIC]
    if refused := [row for row in rows if row[0]]:
        raise TopicsUnfit("\n".join(f"{row[3]}: its settings cannot be read: {_unread(row)}" for row in refused))
    return {row[3]: row[4] for row in rows}


def _unread(row: Any) -> str:
    return _reason(row[0], row[1], "DescribeConfigs")
