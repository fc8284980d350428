"""What a user may do is found out by trying, on a broker that lets it do only some of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from aiokafka.admin import NewTopic
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from bridge.kafka.connection import Connection
from bridge.kafka.trying import tried, trying
from bridge.policy.checks_of_kafka import Tried
from bridge.sandbox.kafka import local_kafka
from tests.integration.kafka.conftest import connected

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
DESCRIBE, READ = AclOperation.DESCRIBE, AclOperation.READ
ME, SOMEBODY = "User:ANONYMOUS", "User:somebody"
OPEN = ("open.a", "open.b")
ACLS = [
    (ResourceType.TOPIC, "shown", ME, DESCRIBE),
    (ResourceType.TOPIC, "readable", ME, DESCRIBE),
    (ResourceType.TOPIC, "readable", ME, READ),
    (ResourceType.GROUP, "shown", ME, DESCRIBE),
    (ResourceType.GROUP, "hidden", SOMEBODY, READ),
    (ResourceType.TRANSACTIONAL_ID, "hidden.check", SOMEBODY, AclOperation.WRITE),
]


@pytest.fixture(scope="module")
async def guarded() -> AsyncGenerator[Connection]:
    """A broker where whoever comes may do anything but what the list above restricts."""
    async with local_kafka(properties=AUTHORIZER) as kafka:
        connection = connected(kafka.bootstrap_servers)
        async with connection.admin() as admin:
            await admin.create_topics([NewTopic(topic, 2, 1) for topic in (*OPEN, "shown", "readable")])
        await asyncio.to_thread(restrict, kafka.bootstrap_servers)
        yield connection


def restrict(servers: str) -> None:
    rows = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, who, "*", operation, AclPermissionType.ALLOW)
        for kind, name, who, operation in ACLS
    ]
    admin = AdminClient({"bootstrap.servers": servers})
    for done in admin.create_acls(rows).values():
        done.result()


async def attempt(connection: Connection, topics: Sequence[str], name: str) -> Tried:
    async with trying(connection) as at:
        assert await at.brokers() == 1
        return await tried(at, transactional_id=f"{name}.check", writes=topics, reads=topics, groups=[name])


async def test_what_may_be_done_leaves_nothing_to_tell_and_nothing_behind(guarded: Connection) -> None:
    assert await attempt(guarded, OPEN, "open") == Tried()
    assert await attempt(guarded, OPEN, "open") == Tried()  # its own transaction of a moment ago is no obstacle
    async with guarded.admin() as admin:
        assert ("open", "") not in await admin.list_consumer_groups()
    consumer = guarded.consumer(committed=False, auto_offset_reset="earliest")
    consumer.subscribe(topics=[*OPEN])
    await consumer.start()
    try:
        assert await consumer.getmany(timeout_ms=300) == {}
    finally:
        await consumer.stop()


async def test_topics_and_groups_that_are_only_shown_are_told_by_what_is_refused(guarded: Connection) -> None:
    assert await attempt(guarded, [*OPEN, "shown", "readable"], "shown") == Tried(
        writes={"shown": "TopicAuthorizationFailed", "readable": "TopicAuthorizationFailed"},
        reads={"shown": "TopicAuthorizationFailed"},
        groups={"shown": "GroupAuthorizationFailed"},
    )


async def test_a_transaction_and_a_group_that_are_somebody_elses_are_told(guarded: Connection) -> None:
    assert await attempt(guarded, OPEN, "hidden") == Tried(
        transaction="TransactionalIdAuthorizationFailed", groups={"hidden": "GroupAuthorizationFailed"}
    )
