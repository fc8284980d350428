"""The bridge's topics on the cluster: made when missing, verified when there.

Called by `bridge.app` at start-up. Knows the wanted topics as values and Kafka's admin
requests; never deletes and never alters.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from bridge.access import ACLS, denied
from bridge.contract.topics import TopicSpec
from bridge.kafka.connection import Connection

TOPIC_ALREADY_EXISTS = 36
SAFE_REPLICAS = 3
"""From so many replicas on, two must have a record before it counts as written: the loss of a broker loses nothing."""

SEEN_SECONDS = 0.05
"""Pause between two looks at the metadata while a new topic spreads over the brokers."""


class TopicsUnfit(Exception):
    """The topics are not as the bridge needs them. The text is the report: one line each, with the way out."""


class KafkaUnreachable(Exception):
    """No broker answers, or none as it should; the text says why, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the cluster has it."""

    partitions: int
    config: Mapping[str, str]


async def ensure(
    connection: Connection, specs: Sequence[TopicSpec], *, partitions: int, replication_factor: int, create: bool
) -> None:
    """Make what is missing (if `create`) and check what is there.

    Raises:
        TopicsUnfit: something is missing or other than wanted; every problem is named.
        KafkaUnreachable: no broker answers.
    """
    async with _admin(connection) as admin:
        there = await find(admin, [spec.name for spec in specs])
        missing = [spec for spec in specs if spec.name not in there]
        if missing and create:
            await _create(admin, missing, partitions, replication_factor)
            there = await _appeared(admin, [spec.name for spec in specs], connection.request_seconds)
    problems = list(differences(specs, there, partitions))
    if problems:
        raise TopicsUnfit("\n".join(problems))


@contextlib.asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
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
    async with _admin(connection) as admin:
        return str((await admin.describe_cluster())["cluster_id"])


async def find(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, Found]:
    """Those of the named topics that exist. Asks for all topics, since asking for one by name may create it."""
    wanted = set(names)
    described = {topic["topic"]: topic for topic in await admin.describe_topics() if topic["topic"] in wanted}
    if not described:
        return {}
    configs = await _configs(admin, sorted(described))
    return {name: Found(len(topic["partitions"]), configs.get(name, {})) for name, topic in described.items()}


def differences(specs: Sequence[TopicSpec], there: Mapping[str, Found], partitions: int) -> Iterable[str]:
    """What is wrong with the topics found, one line each."""
    for spec in specs:
        found = there.get(spec.name)
        if found is None:
            yield (
                f"{spec.name}: missing, or hidden from this user. Set topics.manage to create, or create it with "
                f"{partitions} partitions, or allow to describe it"
            )
        elif found.partitions != partitions:
            yield (
                f"{spec.name}: has {found.partitions} partitions, topics.partitions says {partitions}. Set "
                f"topics.partitions to {found.partitions}, or use another topics.prefix: the number is chosen once, it "
                "decides which shard an account is in"
            )
        elif _policies(found.config) != _policies(spec.config):
            yield (
                f"{spec.name}: cleanup.policy is {found.config.get('cleanup.policy')}, must be "
                f"{spec.config.get('cleanup.policy')}: alter it with kafka-configs"
            )
        elif int(found.config.get("max.message.bytes", 0)) < int(spec.config.get("max.message.bytes", 0)):
            yield (
                f"{spec.name}: max.message.bytes is {found.config.get('max.message.bytes')}, must be at least "
                f"{spec.config.get('max.message.bytes')}: alter it with kafka-configs"
            )


def _policies(config: Mapping[str, str]) -> frozenset[str]:
    return frozenset(config.get("cleanup.policy", "delete").replace(" ", "").split(","))


async def _create(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], partitions: int, replication_factor: int
) -> None:
    safety = {"min.insync.replicas": "2"} if replication_factor >= SAFE_REPLICAS else {}
    wanted = [NewTopic(spec.name, partitions, replication_factor, topic_configs=spec.config | safety) for spec in specs]
    answer = await admin.create_topics(wanted)
    # create_topics returns an error per topic and raises for none of them
    refused = [row for row in answer.topic_errors if row[1] not in (0, TOPIC_ALREADY_EXISTS)]
    if refused:
        raise TopicsUnfit("\n".join(_refusal(*row) for row in refused))


def _refusal(name: str, code: int, message: str | None = None, *_: Any) -> str:
    return f"{name}: could not be created: {_error(code, 'Create')}. {message or ''}".rstrip()


async def _appeared(admin: AIOKafkaAdminClient, names: Sequence[str], seconds: float) -> dict[str, Found]:
    there: dict[str, Found] = {}
    try:
        async with asyncio.timeout(seconds):
            while len(there) < len(names):
                await asyncio.sleep(SEEN_SECONDS)
                there = await find(admin, names)
    except TimeoutError:
        hidden = ", ".join(sorted(set(names) - there.keys()))
        raise KafkaUnreachable(f"{hidden}: there, but not to be seen; may this user describe it? {ACLS}") from None
    return there


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=None) for name in names]
    answers: list[Any] = await admin.describe_configs(resources)
    rows = [resource for answer in answers for resource in answer.resources]
    refused = [_unread(resource[3], resource[0]) for resource in rows if resource[0] != 0]
    if refused:
        raise TopicsUnfit("\n".join(refused))
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in rows}


def _unread(name: str, code: int) -> str:
    return f"{name}: its settings cannot be read: {_error(code, 'DescribeConfigs')}"


def _error(code: int, operation: str) -> str:
    error = for_code(code)
    return f"Kafka does not let this user {operation}; {ACLS}" if denied(error()) else error.__name__
