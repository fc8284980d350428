"""Kafka from a Docker engine: chosen when one answers, able to do transactions, gone when it is no more wanted."""

import asyncio
import time
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.kafka import ContainerKafka, sandbox_kafka

pytestmark = pytest.mark.containers


async def test_a_container_takes_a_transaction_and_a_group_reads_it() -> None:
    begun = time.monotonic()
    async with asyncio.timeout(180), sandbox_kafka(properties={"log.retention.ms": "3600000"}) as kafka:
        assert isinstance(kafka, ContainerKafka)
        up = time.monotonic()
        await write(kafka.bootstrap_servers, b"one", b"two")
        assert await read(kafka.bootstrap_servers, 2) == [b"one", b"two"]
        used = time.monotonic()
    gone = time.monotonic()
    print(f"\ncontainer up {up - begun:.1f} s, transaction and group read {used - up:.1f} s, gone {gone - used:.1f} s")
    host, _, port = kafka.bootstrap_servers.rpartition(":")
    with pytest.raises(OSError):  # noqa: PT011 - refused, or unreachable where the engine is elsewhere
        await asyncio.open_connection(host, int(port))


async def write(servers: str, *values: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("round-trip", 1, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=str(uuid4()))
    await producer.start()
    try:
        async with producer.transaction():
            for value in values:
                await producer.send_and_wait("round-trip", value)
    finally:
        await producer.stop()


async def read(servers: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        "round-trip",
        bootstrap_servers=servers,
        group_id="reader",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()
