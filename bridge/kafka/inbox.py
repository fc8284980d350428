"""The inbox's writer: webhook notices are on disk at every in-sync replica before Copper gets its 2xx.

Called by the public web side through `bridge.app`, in any replica, whoever owns the shard. A notice written twice does
no harm, so the producer is neither transactional nor idempotent: an idempotent one can be poisoned for good by one
refusal.
"""

import asyncio
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.contract.records import Outgoing
from bridge.kafka.connection import Connection, let_go

WRITE_SECONDS = 5.0
"""Copper's own patience is not documented; a notice that is not written by then is answered with 503."""


class Inbox:
    """Writes records and waits for them to be kept; an async context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop(self._producer)
        await asyncio.gather(*self._leaving)

    async def put(self, record: Outgoing) -> bool:
        """Write; False when it is not known to be kept. Never raises for what Kafka does."""
        producer = None
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                producer = await self._started()
                await producer.send_and_wait(
                    record.topic, record.value, record.key, record.partition, headers=list(record.headers)
                )
        except (KafkaError, TimeoutError):
            self._drop(producer)
            return False
        return True

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = self._connection.plain_producer()
                try:
                    await producer.start()
                except BaseException:
                    self._leave(producer)
                    raise
                self._producer = producer
            return self._producer

    def _drop(self, producer: AIOKafkaProducer | None) -> None:
        """Use this one no more; another, which a put before us has begun with, stays."""
        if producer is not None and producer is self._producer:
            self._producer = None
            self._leave(producer)

    def _leave(self, producer: AIOKafkaProducer) -> None:
        """Let go in the background: nobody who waits for an answer is to wait for that."""
        leaving = asyncio.create_task(let_go(producer))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
