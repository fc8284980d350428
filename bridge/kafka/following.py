"""Following a small compacted topic: every replica reads all of it from the beginning, and goes on.

For what all replicas must know and none owns. Called by `bridge.app`; what the records mean is the reader's business.
"""

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.contract.records import Incoming
from bridge.kafka.connection import Connection, heed_cancellation, let_go
from bridge.kafka.records import incoming

REBUILD_SECONDS = 1.0


class Following:
    """The reader of one topic."""

    def __init__(
        self, connection: Connection, topic: str, partitions: int, learn: Callable[[Sequence[Incoming]], None]
    ) -> None:
        """`learn` gets the records of each partition in their order, each at least once."""
        self._connection = connection
        self._next = {TopicPartition(topic, number): 0 for number in range(partitions)}
        self._learn = learn
        self.caught_up = asyncio.Event()
        """Set once everything that was there when we began has been learnt."""

    async def run(self) -> None:
        """Read until cancelled; a client that breaks is replaced, and goes on where learning stopped."""
        while True:
            try:
                await self._read()
            except (KafkaError, TimeoutError):
                heed_cancellation()
                await asyncio.sleep(REBUILD_SECONDS)

    async def _read(self) -> None:
        consumer = self._connection.consumer(auto_offset_reset="earliest", fetch_max_wait_ms=100)
        try:
            async with asyncio.timeout(self._connection.request_seconds * 2):
                await consumer.start()
                consumer.assign([*self._next])
                ends = await consumer.end_offsets([*self._next])
            for tp, offset in self._next.items():
                consumer.seek(tp, offset)
            while True:
                await self._step(consumer, ends)
        finally:
            await let_go(consumer)

    async def _step(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            self._learn([incoming(record) for record in records])
        heed_cancellation()
        # Positions pass over what is no record: transaction markers, and what compaction has removed.
        self._next = {tp: await consumer.position(tp) for tp in self._next}
        if all(self._next[tp] >= end for tp, end in ends.items()):
            self.caught_up.set()
