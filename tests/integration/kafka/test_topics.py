"""Topics on a real cluster: made as the contract says, and refused with a way out when they are not so."""

from collections.abc import Callable

import pytest
from aiokafka.admin import NewTopic

from bridge.contract.topics import TopicNames, TopicSpec, topic_specs
from bridge.kafka.connection import Connection
from bridge.kafka.topics import TopicsUnfit, ensure, find
from bridge.sandbox.kafka import local_kafka
from tests.integration.kafka.conftest import connected


@pytest.fixture
def connection(bootstrap_servers: str) -> Connection:
    return connected(bootstrap_servers)


def only(name: str, **config: str) -> TopicSpec:
    return TopicSpec(name, {key.replace("_", "."): value for key, value in config.items()})


async def make(connection: Connection, *specs: TopicSpec, partitions: int = 2, create: bool = True) -> None:
    await ensure(connection, specs, partitions=partitions, replication_factor=1, create=create)


async def test_every_topic_of_the_contract_is_made_with_its_partitions_and_settings(
    connection: Connection, fresh: Callable[[str], str]
) -> None:
    specs = topic_specs(TopicNames(fresh("made")))

    await make(connection, *specs, partitions=3)

    async with connection.admin() as admin:
        found = await find(admin, [spec.name for spec in specs])
    assert {name: topic.partitions for name, topic in found.items()} == {spec.name: 3 for spec in specs}
    for spec in specs:
        assert {key: found[spec.name].config[key] for key in spec.config} == spec.config


async def test_topics_that_are_there_are_left_as_they_are(connection: Connection, fresh: Callable[[str], str]) -> None:
    topic = fresh("kept")
    await make(connection, only(topic, cleanup_policy="delete", retention_ms="1000000"))

    await make(connection, only(topic, cleanup_policy="delete", retention_ms="2000000"))

    async with connection.admin() as admin:
        assert (await find(admin, [topic]))[topic].config["retention.ms"] == "1000000"


async def test_only_the_missing_topics_are_made(connection: Connection, fresh: Callable[[str], str]) -> None:
    old, new = only(fresh("old")), only(fresh("new"))
    await make(connection, old)

    await make(connection, old, new)

    async with connection.admin() as admin:
        assert set(await find(admin, [old.name, new.name])) == {old.name, new.name}


async def test_all_that_is_wrong_is_said_at_once_with_the_way_out(
    connection: Connection, fresh: Callable[[str], str]
) -> None:
    narrow, kept, small, missing = fresh("narrow"), fresh("kept"), fresh("small"), fresh("missing")
    await make(connection, only(narrow), partitions=1)
    await make(connection, only(kept, cleanup_policy="delete"), only(small, max_message_bytes="1000"))
    wanted = (only(narrow), only(kept, cleanup_policy="compact"), only(small, max_message_bytes="2000"), only(missing))

    with pytest.raises(TopicsUnfit) as refusal:
        await make(connection, *wanted, create=False)

    lines = dict(line.split(": ", 1) for line in str(refusal.value).splitlines())
    assert set(lines) == {narrow, kept, small, missing}
    assert "has 1 partitions" in lines[narrow]
    assert "set topics.partitions to 1" in lines[narrow]
    assert "cleanup.policy is delete, must be compact" in lines[kept]
    assert "kafka-configs" in lines[kept]
    assert "max.message.bytes is 1000, must be at least 2000" in lines[small]
    assert "topics.manage to create" in lines[missing]
    async with connection.admin() as admin:
        assert await find(admin, [missing]) == {}


async def test_what_the_cluster_refuses_to_make_is_said_in_its_words(
    connection: Connection, fresh: Callable[[str], str]
) -> None:
    topic = fresh("wide")

    with pytest.raises(TopicsUnfit, match=rf"{topic}: could not be created: InvalidReplicationFactor"):
        await ensure(connection, [only(topic)], partitions=1, replication_factor=7, create=True)


async def test_looking_for_a_topic_does_not_make_it_where_asking_would() -> None:
    async with local_kafka(properties={"auto.create.topics.enable": "true"}) as kafka:
        connection = connected(kafka.bootstrap_servers)
        async with connection.admin() as admin:
            await admin.create_topics([NewTopic("there", 1, 1)])
            assert set(await find(admin, ["there", "missing"])) == {"there"}
            await ask_by_name(connection, "asked-for")
            assert sorted(await admin.list_topics()) == ["asked-for", "there"]


async def ask_by_name(connection: Connection, topic: str) -> None:
    producer = connection.plain_producer()
    await producer.start()
    try:
        assert await producer.partitions_for(topic) == {0}
    finally:
        await producer.stop()
