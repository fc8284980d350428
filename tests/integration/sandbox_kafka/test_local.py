"""The local JVM way of having a Kafka: it is a real one, several live side by side, and it dies with its owner."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.kafka import local_kafka

PATIENCE_S = 60
QUICK = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


async def create_topic(servers: str, topic: str, copies: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, 1, copies)])
        assert [error[1] for error in answer.topic_errors] == [0]
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def transactional(servers: str, name: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=name)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def write(producer: AIOKafkaProducer, topic: str, *values: bytes) -> None:
    async with producer.transaction():
        for value in values:
            await producer.send_and_wait(topic, value)


async def read(servers: str, topic: str, group: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_transaction_is_read_by_a_group(bootstrap_servers: str, fresh: Callable[[str], str]) -> None:
    topic = fresh("round-trip")
    await create_topic(bootstrap_servers, topic, copies=1)
    async with asyncio.timeout(PATIENCE_S), transactional(bootstrap_servers, fresh("writer")) as producer:
        await write(producer, topic, b"one", b"two")
        assert await read(bootstrap_servers, topic, fresh("reader"), 2) == [b"one", b"two"]


async def test_three_nodes_survive_a_kill_and_a_return() -> None:
    async with asyncio.timeout(2 * PATIENCE_S), local_kafka(3, properties=QUICK) as kafka:
        await create_topic(kafka.bootstrap_servers, "survivor", copies=3)
        async with transactional(kafka.bootstrap_servers, "writer") as producer:
            await write(producer, "survivor", b"before")
            await kafka.kill(1)
            await write(producer, "survivor", b"during")
            await kafka.start(1)
            await write(producer, "survivor", b"after")
        assert await read(kafka.bootstrap_servers, "survivor", "reader", 3) == [b"before", b"during", b"after"]


async def test_two_at_once_know_nothing_of_each_other() -> None:
    async with asyncio.timeout(PATIENCE_S), local_kafka() as one, local_kafka() as other:
        await create_topic(one.bootstrap_servers, "mine", copies=1)
        await create_topic(other.bootstrap_servers, "yours", copies=1)
        assert await topics(one.bootstrap_servers) == ["mine"]
        assert await topics(other.bootstrap_servers) == ["yours"]


async def topics(servers: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return sorted(await admin.list_topics())
    finally:
        await admin.close()


async def test_a_paused_node_answers_again_when_it_is_resumed() -> None:
    async with asyncio.timeout(PATIENCE_S), local_kafka() as kafka:
        kafka.pause(1)
        asking = asyncio.create_task(topics(kafka.bootstrap_servers))
        done, _ = await asyncio.wait([asking], timeout=1)
        assert not done
        kafka.resume(1)
        assert await asking == []


async def test_clients_that_come_through_a_proxy_stay_behind_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        async with asyncio.timeout(PATIENCE_S), local_kafka(proxy_ports=[port]) as kafka:
            seen = 0

            async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                nonlocal seen
                seen += 1
                host, _, to = kafka.behind[0].rpartition(":")
                back, there = await asyncio.open_connection(host, int(to))
                await asyncio.gather(copy(reader, there), copy(back, writer))

            async with await asyncio.start_server(forward, sock=listening):
                through = f"127.0.0.1:{port}"
                await create_topic(through, "proxied", copies=1)
                async with transactional(through, "writer") as producer:
                    await write(producer, "proxied", b"x")
                    assert {node.port for node in producer.client.cluster.brokers()} == {port}
            assert seen > 1


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


OWNER = """
import asyncio
from bridge.sandbox.kafka import local_kafka

async def main():
    async with local_kafka() as kafka:
        print(kafka.bootstrap_servers, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel kills children of the killed")
async def test_a_broker_dies_with_its_owner_even_when_that_is_killed(tmp_path: Path) -> None:
    elsewhere = os.environ | {"TMPDIR": str(tmp_path)}  # nobody is left to throw its data away
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, stdout=asyncio.subprocess.PIPE, env=elsewhere
    )
    assert owner.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        address = (await owner.stdout.readline()).decode().strip()
        brokers = children(owner.pid)
        assert brokers
        owner.send_signal(signal.SIGKILL)
        await owner.wait()
        while any(alive(pid) for pid in brokers):  # noqa: ASYNC110 - somebody else's children send no event
            await asyncio.sleep(0.01)
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
