"""One shard's ledger, memory and changelog on the session's Kafka, with topics of its own."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.contract.records import Headers, Outgoing
from bridge.contract.topics import TopicNames, TopicSpec, topic_specs
from bridge.kafka.changelog import Changelog
from bridge.kafka.connection import Connection
from bridge.kafka.ledger import Draft, Ledger
from bridge.kafka.topics import ensure
from bridge.kafka.watermarks import Watermarks
from bridge.settings import KafkaSettings
from bridge.shard.memory import Memory
from tests.integration.kafka.members import SHARDS, Group

SHARD = 1


def connected(bootstrap_servers: str, request_seconds: float = 10) -> Connection:
    timeout = timedelta(seconds=request_seconds)
    return Connection(KafkaSettings(bootstrap_servers=bootstrap_servers, request_timeout=timeout), "test")


@dataclass
class Desk:
    """Everything a session needs, for as many sessions as a test wants."""

    connection: Connection
    names: TopicNames
    watermarks: Watermarks
    directory: Path
    stack: AsyncExitStack
    outcomes: list[str] = field(default_factory=list)

    def memory(self, name: str = "memory") -> Memory:
        memory = Memory(self.directory / f"{name}.sqlite", {"cluster": "test"}, self.topics, time.time)
        self.stack.callback(memory.close)
        return memory

    @property
    def topics(self) -> dict[str, tuple[str, str]]:
        return {
            self.names.state("company"): ("state", "company"),
            self.names.cursors: ("cursor", ""),
            self.names.journal: ("journal", ""),
        }

    def changelog(self) -> Changelog:
        return Changelog(self.connection, self.watermarks, list(self.topics), SHARD)

    async def session(self, memory: Memory, **options: Any) -> tuple[Ledger, "asyncio.Task[None]"]:
        """A ledger opened as a session opens it: fence, bounds, replay, then run."""
        changelog = self.changelog()

        async def intact() -> bool:
            return await self.restore(changelog, memory) == 0

        ledger = Ledger(
            self.connection,
            f"{self.names.prefix}.{SHARD}",
            SHARD,
            memory,
            renewed=intact,
            observe=lambda outcome, _seconds: self.outcomes.append(outcome),
            **options,
        )
        await ledger.open()
        await self.restore(changelog, memory)
        running = asyncio.create_task(ledger.run())
        self.stack.push_async_callback(ledger.close)
        self.stack.push_async_callback(self._ended, running)
        return ledger, running

    async def _ended(self, running: "asyncio.Task[None]") -> None:
        running.cancel()
        await asyncio.wait([running])

    async def restore(self, changelog: Changelog, memory: Memory) -> int:
        _, ends = await changelog.bounds()
        return await changelog.replay(memory.offsets(), ends, memory.replay)

    def state(self, number: int, value: bytes | None = b"{}") -> Outgoing:
        """A state record as events write it."""
        headers: Headers = (("ce_id", f"company:{number}:{1000 + number}:0123456789abcdef:created".encode()),)
        return Outgoing(self.names.state("company"), SHARD, f"acme/{number}".encode(), value, headers)

    def change(self, number: int, size: int = 10) -> Outgoing:
        return Outgoing(self.names.changes("company"), SHARD, f"acme/{number}".encode(), Random(number).randbytes(size))  # noqa: S311

    def write(self, *numbers: int) -> Callable[[Draft], None]:
        def writer(draft: Draft) -> None:
            for number in numbers:
                draft.add(self.change(number))
                draft.add(self.state(number))

        return writer

    async def committed(self, topic: str) -> list[str]:
        """The keys a read_committed reader finds, from the beginning to the end."""
        reader = Changelog(self.connection, self.watermarks, [topic], SHARD)
        _, ends = await reader.bounds()
        keys: list[str] = []
        await reader.replay({}, ends, lambda records, _ends: keys.extend((r.key or b"").decode() for r in records))
        return keys


MakeDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def make_desk(fresh: Callable[[str], str], tmp_path: Path) -> AsyncGenerator[MakeDesk]:
    async with AsyncExitStack() as stack:

        async def make(servers: str, request_seconds: float = 10) -> Desk:
            connection = connected(servers, request_seconds)
            names = TopicNames(fresh("shard"))
            await ensure(connection, topic_specs(names), partitions=2, replication_factor=1, create=True)
            watermarks = await stack.enter_async_context(Watermarks(connection))
            return Desk(connection, names, watermarks, tmp_path, stack)

        yield make


@pytest.fixture
async def desk(make_desk: MakeDesk, bootstrap_servers: str) -> Desk:
    return await make_desk(bootstrap_servers)


@pytest.fixture
async def group(bootstrap_servers: str, fresh: Callable[[str], str]) -> AsyncGenerator[Group]:
    connection, topic = connected(bootstrap_servers), fresh("members")
    await ensure(connection, [TopicSpec(topic, {})], partitions=SHARDS, replication_factor=1, create=True)
    async with AsyncExitStack() as stack:
        yield Group(connection, topic, stack)
