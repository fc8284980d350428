"""The changelog of a shard: its partition of the compacted topics that make up what the shard knows.

Called by the shard session when it opens (fence first, then read) and by the ledger when it renews its
producer. Knows offsets and records; what a record means is the reader's business.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.contract.records import Incoming
from bridge.kafka.connection import Connection, denials_named, heed_cancellation, let_go
from bridge.kafka.records import incoming
from bridge.kafka.watermarks import Watermarks
from bridge.policy.sessions import Ending, SessionEnded

Ends = Mapping[str, int]
"""Topic to offset, all within one partition number."""

REPLAY_BATCH = 2000


class Changelog:
    """The changelog partitions of one shard."""

    def __init__(self, connection: Connection, watermarks: Watermarks, topics: Sequence[str], shard: int) -> None:
        self._connection = connection
        self._watermarks = watermarks
        self._partitions = [TopicPartition(topic, shard) for topic in topics]

    async def bounds(self) -> tuple[Ends, Ends]:
        """First and end offsets of every partition, of committed records only.

        Raises:
            SessionEnded: the last stable offset is behind the high watermark: somebody else writes there in spite of
            the fence.
        """
        marks = await self._watermarks.of(self._partitions)
        behind = sorted(f"{tp.topic}-{tp.partition}" for tp, mark in marks.items() if mark.stable != mark.high)
        if behind:
            raise SessionEnded(Ending.UNSETTLED, f"an open transaction holds {', '.join(behind)}")
        return {tp.topic: mark.begin for tp, mark in marks.items()}, {
            tp.topic: mark.stable for tp, mark in marks.items()
        }

    async def replay(self, since: Ends, until: Ends, learn: Callable[[Sequence[Incoming], Ends], None]) -> int:
        """Read committed records from `since` up to `until`; hand them over in batches with the next offsets.

        Returns how many records there were; transaction markers are none.
        """
        wanted = [tp for tp in self._partitions if since.get(tp.topic, 0) < until[tp.topic]]
        if not wanted:
            return 0
        consumer = self._connection.consumer(committed=True, auto_offset_reset="earliest", fetch_max_wait_ms=100)
        try:
            async with asyncio.timeout(self._connection.request_seconds * 2):
                await consumer.start()
            consumer.assign(wanted)
            for tp in wanted:
                consumer.seek(tp, since.get(tp.topic, 0))
            with denials_named("read"):
                return await self._read(consumer, wanted, until, learn)
        finally:
            await let_go(consumer)

    async def _read(
        self,
        consumer: AIOKafkaConsumer,
        wanted: Sequence[TopicPartition],
        until: Ends,
        learn: Callable[[Sequence[Incoming], Ends], None],
    ) -> int:
        count = 0
        left = set(wanted)
        while left:
            async with asyncio.timeout(self._connection.request_seconds * 2):
                batches = await consumer.getmany(*left, timeout_ms=500, max_records=REPLAY_BATCH)
                ends = {tp: await consumer.position(tp) for tp in left}
            heed_cancellation()
            records = [
                incoming(record)
                for batch in batches.values()
                for record in batch
                if record.offset < until[record.topic]
            ]
            count += len(records)
            learn(records, {tp.topic: min(end, until[tp.topic]) for tp, end in ends.items()})
            left = {tp for tp in left if ends[tp] < until[tp.topic]}
        return count
