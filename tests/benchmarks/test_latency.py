"""How long things take on their way: a page to a readable event, a command to its reply, beside the bare minimum.

Everything in one process on one machine, so the figures hold the readers' and the producers' time too.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from bridge.app import serving
from bridge.contract.commands import encode
from bridge.contract.topics import TopicNames
from bridge.kafka.connection import Connection
from bridge.kafka.ledger import Draft, Ledger
from bridge.policy.sightings import Via
from bridge.sandbox.copper import CopperDouble, DoubleAccount, Knobs
from bridge.settings import Settings
from bridge.shard.memory import Memory
from bridge.shard.publishing import Publishing

ROUNDS = 100


def told(name: str, seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return f"{name}: p50 {cuts[49] * 1000:.1f} ms, p90 {cuts[89] * 1000:.1f} ms"


@asynccontextmanager
async def reading(connection: Connection, topic: str) -> AsyncGenerator[AIOKafkaConsumer]:
    consumer = connection.consumer()
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_end()
    await consumer.position(TopicPartition(topic, 0))
    try:
        yield consumer
    finally:
        await consumer.stop()


async def measured(once: Callable[[int], Awaitable[None]], consumer: AIOKafkaConsumer) -> list[float]:
    """Seconds from the beginning of each round until its record is read. Rounds are spaced like a calm bridge's."""
    spent = []
    for number in range(ROUNDS):
        reader = asyncio.create_task(consumer.getone())
        started = time.perf_counter()
        await once(number)
        await reader
        spent.append(time.perf_counter() - started)
        await asyncio.sleep(0.03)
    return spent


async def test_a_page_until_its_event_is_readable(
    connection: Connection, names: TopicNames, tmp_path: Path, show: Callable[[str], None]
) -> None:
    from bridge.policy.changes import Sighting  # noqa: PLC0415 - beside its one use

    topics = {names.state("lead"): ("state", "lead")}
    memory = Memory(tmp_path / "memory.sqlite", {}, topics, time.time)

    async def untouched() -> bool:
        return True

    ledger = Ledger(connection, f"latency-{names.prefix}", 0, memory, renewed=untouched)
    publishing = Publishing(memory, names, 0, time.time, lambda *_: None)
    await ledger.open()
    writing = asyncio.create_task(ledger.run())

    async def publish(number: int) -> None:
        record = {"id": number + 1, "name": "x" * 800, "date_created": 1, "date_modified": 1}

        def write(draft: Draft) -> None:
            publishing.sight(draft, Sighting("acme", "lead", record, Via.POLL, authoritative=False, asked_s=0.0), 0)

        await ledger.commit(write)

    async with reading(connection, names.changes("lead")) as consumer:
        ours = await measured(publish, consumer)
    writing.cancel()
    await ledger.close()
    memory.close()

    same_topics = [
        names.event("lead", "created"),
        names.event("lead", "upserted"),
        names.changes("lead"),
        names.state("lead"),
    ]
    producer = connection.transactional_producer(f"bare-{names.prefix}")
    await producer.start()

    async def bare(number: int) -> None:
        key, value = str(number).encode(), b"x" * 1000
        async with producer.transaction():
            await asyncio.gather(*[await producer.send(topic, value, key, 0) for topic in same_topics])

    async with reading(connection, names.changes("lead")) as consumer:
        theirs = await measured(bare, consumer)
    await producer.stop()
    show(told("page to readable event", ours) + " (aim: p50 at most 15 ms)")
    show(told("bare transaction of the same four records to readable", theirs))


def settings(bootstrap_servers: str, base_url: str, state: Path, prefix: str) -> Settings:
    anywhere = {"host": "127.0.0.1", "port": 0}
    return Settings.model_validate(
        {
            "instance": prefix,
            "copper": {"base_url": base_url},
            "accounts": {"acme": {"user_email": "ops@acme.example", "api_key": "key"}},
            "kafka": {"bootstrap_servers": bootstrap_servers},
            "topics": {"prefix": prefix, "partitions": 1, "replication_factor": 1},
            "events": {"poll_every": "1h"},
            "server": {"public": anywhere, "internal": anywhere},
            "state": {"dir": str(state)},
        }
    )


@pytest.mark.parametrize("action", ["get", "update"])
async def test_a_command_beyond_its_call_to_copper(
    bootstrap_servers: str, connection: Connection, tmp_path: Path, show: Callable[[str], None], action: str
) -> None:
    prefix = f"bench.{action}"
    knobs = Knobs(calls_per_minute=None)
    account = DoubleAccount("acme", "key", "ops@acme.example")
    async with CopperDouble([account], knobs=knobs) as copper:
        company = copper.account("acme").create("company", {"name": "Tideglass"})
        names, stop = TopicNames(prefix), asyncio.Event()
        async with serving(settings(bootstrap_servers, copper.base_url, tmp_path, prefix), stop) as running:
            await running.ready.wait()
            overheads = await overheads_of(action, company["id"], names, connection)
    show(told(f"{action}: command to reply, less the call to Copper", overheads) + " (aim: p50 at most 20 ms)")


async def overheads_of(action: str, record_id: int, names: TopicNames, connection: Connection) -> list[float]:
    """One command at a time, at the pace the budget grants, so that none waits for it."""
    producer: AIOKafkaProducer = connection.plain_producer()
    await producer.start()
    overheads = []
    async with reading(connection, names.replies("company")) as consumer:
        await asyncio.sleep(20)  # the budget begins empty: a burst to spare keeps its waits out of the figure
        for number in range(40):
            data: dict[str, Any] | None = {"details": f"round {number}"} if action == "update" else None
            value, headers = encode(action, record_id=record_id, data=data)
            reader = asyncio.create_task(consumer.getone())
            started = time.perf_counter()
            await producer.send_and_wait(names.commands("company"), value, b"acme", headers=list(headers))
            reply: ConsumerRecord = await reader
            spent = time.perf_counter() - started
            overheads.append(spent - orjson.loads(reply.value)["timing"]["copper_ms"] / 1000)
            await asyncio.sleep(0.4)
    await producer.stop()
    return overheads
