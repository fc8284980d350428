"""Intake: one consumer for all input topics of all owned shards.

It is assigned every partition of every input topic once and for all, with those of other owners paused; opening a shard
seeks and resumes its partitions, closing pauses them. One shared consumer idles at a tenth of what one per shard costs.
Positions come from the caller (the memory), never from the group. Called by the shard session; knows no meaning of the
records.

For people and their lag tools the positions are also committed to a consumer group of their own, which has no members,
now and then; nothing ever reads them back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.contract.records import Incoming
from bridge.kafka.connection import Connection, heed_cancellation, let_go
from bridge.kafka.records import incoming

Sink = Callable[[Sequence[Incoming]], None]
"""Takes records of one partition, in order, without waiting."""

REBUILD_SECONDS = 1.0
MAX_RECORDS = 500
SHOW_SECONDS = 5.0
MAX_PARTITION_BYTES = 2 * 1024 * 1024


class Intake:
    """The shared consumer. `run` as a task; `open` and `close` per shard."""

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        partitions: int,
        *,
        shown_as: str | None = None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`shown_as` is the group that lag tools may look at, None shows nothing; `moved` is called as it reads."""
        self._connection = connection
        self._shown_as = shown_as
        self._moved = moved
        self._progress: dict[int, Callable[[], Mapping[str, int]]] = {}
        self._topics = tuple(topics)
        self._all = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self._sinks: dict[TopicPartition, Sink] = {}
        self._next: dict[TopicPartition, int] = {}
        self._held: set[TopicPartition] = set()

    def open(self, shard: int, progress: Callable[[], Mapping[str, int]], sinks: Mapping[str, Sink]) -> None:
        """Begin to deliver the shard's records, each topic from its position now (0 when it has none)."""
        self._progress[shard] = progress
        positions = progress()
        for topic in self._topics:
            tp = TopicPartition(topic, shard)
            self._sinks[tp] = sinks[topic]
            self._next[tp] = positions.get(topic, 0)
            self._start(tp)

    def close(self, shard: int) -> None:
        """Deliver no more of the shard's records."""
        self._progress.pop(shard, None)
        for topic in self._topics:
            tp = TopicPartition(topic, shard)
            if self._sinks.pop(tp, None) is not None and self._consumer is not None:
                self._consumer.pause(tp)
            self._held.discard(tp)

    def hold(self, topic: str, shard: int) -> None:
        """Backpressure: deliver nothing more of this partition for now."""
        tp = TopicPartition(topic, shard)
        if tp in self._sinks and tp not in self._held:
            self._held.add(tp)
            if self._consumer is not None:
                self._consumer.pause(tp)

    def release(self, topic: str, shard: int) -> None:
        """End of backpressure."""
        tp = TopicPartition(topic, shard)
        if tp in self._held:
            self._held.discard(tp)
            if self._consumer is not None and tp in self._sinks:
                self._consumer.resume(tp)

    def positions(self) -> dict[int, Mapping[str, int]]:
        """Of every open shard: where each of its topics has been worked off to."""
        return {shard: progress() for shard, progress in self._progress.items()}

    async def run(self) -> None:
        """Read and deliver until cancelled; a client that breaks is replaced, and goes on where delivery stopped."""
        while True:
            try:
                await self._read()
            except (KafkaError, TimeoutError) as problem:
                heed_cancellation()
                await asyncio.gather(asyncio.sleep(REBUILD_SECONDS), self._connection.tell(problem, "read"))

    def _start(self, tp: TopicPartition) -> None:
        if self._consumer is not None:
            self._consumer.seek(tp, self._next[tp])
            self._consumer.resume(tp)

    async def _read(self) -> None:
        consumer = self._connection.consumer(
            group_id=self._shown_as,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            max_partition_fetch_bytes=MAX_PARTITION_BYTES,
        )
        showing = asyncio.create_task(self._show(consumer))
        try:
            async with asyncio.timeout(self._connection.request_seconds * 2):
                await consumer.start()
            consumer.assign(self._all)
            consumer.pause(*self._all)
            self._consumer = consumer
            for tp in self._sinks.keys() - self._held:
                self._start(tp)
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=500, max_records=MAX_RECORDS)).items():
                    self._deliver(tp, records)
                heed_cancellation()
                self._moved()
        finally:
            self._consumer = None
            showing.cancel()
            await let_go(consumer)

    async def _show(self, consumer: AIOKafkaConsumer) -> None:
        """Commit positions for display. Whether that works is of no consequence."""
        while self._shown_as is not None:
            await asyncio.sleep(SHOW_SECONDS)
            shown = {
                TopicPartition(topic, shard): offset
                for shard, offsets in self.positions().items()
                for topic, offset in offsets.items()
            }
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(SHOW_SECONDS):
                    if shown:
                        await consumer.commit(shown)
            heed_cancellation()

    def _deliver(self, tp: TopicPartition, records: Sequence[object]) -> None:
        sink = self._sinks.get(tp)
        if sink is None:
            return  # its shard has closed while the records were on their way
        fresh = [record for record in map(incoming, records) if record.position.offset >= self._next[tp]]
        if fresh:
            self._next[tp] = fresh[-1].position.offset + 1
            sink(fresh)
