"""First, last stable and end offsets of partitions, asked of the brokers over two long-lived clients.

Called by the changelogs of all shards. Long-lived, because a fresh consumer's first question for a topic costs it a
retry of 100 ms while its metadata arrives; an old one's costs 3 ms.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.kafka.connection import Connection, denials_named, let_go
from bridge.policy.sessions import SessionEnded


@dataclass(frozen=True, slots=True)
class Marks:
    """Offsets of one partition. `stable` < `high` while a transaction is open."""

    begin: int
    stable: int
    high: int


class Watermarks:
    """The two clients: one that sees committed records only, one that sees all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients: tuple[AIOKafkaConsumer, AIOKafkaConsumer] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    async def of(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Marks]:
        """The marks of every partition. Raises what the clients raise; broken clients are replaced at the next call."""
        async with self._asking() as (committed, everything):
            begins, stable, high = await asyncio.gather(
                everything.beginning_offsets(partitions),
                committed.end_offsets(partitions),
                everything.end_offsets(partitions),
            )
        return {tp: Marks(begins[tp], stable[tp], high[tp]) for tp in partitions}

    async def ends(self, topics: Sequence[str], partition: int) -> dict[str, int]:
        """Where one partition of each topic ends, uncommitted records included."""
        marks = await self.of([TopicPartition(topic, partition) for topic in topics])
        return {tp.topic: mark.high for tp, mark in marks.items()}

    async def highest(self, topics: Sequence[str], partitions: Collection[int]) -> dict[tuple[str, int], int] | None:
        """Where those partitions of every topic end, in one question; None when Kafka does not answer."""
        asked = [TopicPartition(topic, each) for topic in topics for each in partitions]
        try:
            async with self._asking() as (_, everything):
                ends = await everything.end_offsets(asked)
        except (KafkaError, TimeoutError):
            return None
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaConsumer]]:
        async with self._turn:
            try:
                async with asyncio.timeout(self._connection.request_seconds * 2):
                    clients = await self._started()
                    with denials_named("read"):
                        yield clients
            except (KafkaError, TimeoutError, SessionEnded):
                await self._drop()
                raise

    async def _started(self) -> tuple[AIOKafkaConsumer, AIOKafkaConsumer]:
        if self._clients is None:
            self._clients = (self._connection.consumer(committed=True), self._connection.consumer(committed=False))
            await asyncio.gather(*(client.start() for client in self._clients))
        return self._clients

    async def _drop(self) -> None:
        clients, self._clients = self._clients or (), None
        await asyncio.gather(*map(let_go, clients))
