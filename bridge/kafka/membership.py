"""Which shards are mine: membership in the bridge's consumer group.

All replicas subscribe to one topic, the cursors topic, for membership only: its partitions are paused and never read
here. Whoever is assigned partition p owns shard p. One topic, because co-assignment over several breaks in a rolling
upgrade that adds one. The rebalance listener does bookkeeping only: aiokafka's heartbeats stop while it runs, and its
exceptions are swallowed.

Membership gives liveness; safety comes from the ledger's fence. Called by `bridge.app`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from bridge.kafka.assigning import sticky
from bridge.kafka.connection import Connection, heed_cancellation, let_go

REBALANCE_SECONDS = 60
REBUILD_SECONDS = 2.0
CONTEST_JOINS = 8
CONTEST_SECONDS = 12.0
"""Two processes with one static member id take the group from each other every half second, without any error. More
joins than this within this time, while the id is static, is that and nothing else."""


class MembershipContested(Exception):
    """Another running process uses the same static member id."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """A member of the group. `run` keeps it alive; `owned` is what is assigned now, `changed` wakes on every change."""

    def __init__(
        self,
        connection: Connection,
        *,
        group: str,
        topic: str,
        session_seconds: float,
        name: str,
        member_id: str | None,
        notice: Callable[[Collection[int]], None] = lambda _shards: None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`name` is what the group's members are told apart by, for people; `member_id` makes it a static one.

        `notice` is called with the owned shards after every assignment, `moved` now and then while all is well.
        """
        self._connection = connection
        self._topic = topic
        self._notice = notice
        self._moved = moved
        self._static = member_id is not None
        self._options: dict[str, Any] = {
            "group_id": group,
            "client_id": name,
            "group_instance_id": member_id,
            "session_timeout_ms": int(session_seconds * 1000),
            "heartbeat_interval_ms": max(100, int(session_seconds * 1000 / 12)),
            "rebalance_timeout_ms": REBALANCE_SECONDS * 1000,
            "auto_offset_reset": "earliest",
        }
        self._consumer: AIOKafkaConsumer | None = None
        self._joins: deque[float] = deque(maxlen=CONTEST_JOINS)
        self.owned: frozenset[int] = frozenset()
        self.joined = False
        """Whether the group has told at least once what is ours, be it nothing."""
        self.told = 0
        """How often the group has done so: once more, and others may own other shards, too."""
        self.settled = asyncio.Event()
        self.changed = asyncio.Event()

    async def holds(self, shard: int) -> bool:
        """Whether the shard is ours, once no rebalance is under way."""
        await self.settled.wait()
        return shard in self.owned

    async def run(self) -> None:
        """Stay in the group until cancelled, then leave it; a client that breaks is replaced.

        Raises:
            MembershipContested: the static member id is used by another process too.
        """
        try:
            while True:
                try:
                    await self._stay()
                except (KafkaError, TimeoutError) as problem:
                    heed_cancellation()
                    self._lose()
                    await asyncio.gather(asyncio.sleep(REBUILD_SECONDS), self._connection.tell(problem))
        finally:
            self._lose()

    async def _stay(self) -> None:
        consumer = self._connection.consumer(partition_assignment_strategy=(sticky(),), **self._options)
        consumer.subscribe([self._topic], listener=self)
        self._consumer = consumer
        try:
            async with asyncio.timeout(REBALANCE_SECONDS):
                await consumer.start()
            while True:
                await consumer.getmany(timeout_ms=1000)
                heed_cancellation()
                self._moved()
                self._refuse_contest()
        finally:
            await let_go(consumer)

    def _refuse_contest(self) -> None:
        joins = self._joins
        if self._static and len(joins) == CONTEST_JOINS and joins[-1] - joins[0] < CONTEST_SECONDS:
            raise MembershipContested(
                f"joined the group {CONTEST_JOINS} times within {joins[-1] - joins[0]:.1f} s: another process uses the "
                "same kafka.member_id; give every replica its own (in Kubernetes: the pod's name)"
            )

    def _lose(self) -> None:
        self.owned = frozenset()
        self.joined = False
        self.settled.set()
        self.changed.set()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """A rebalance begins. Nothing stops for it: only the new assignment tells what is lost."""
        if revoked:
            self.settled.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A rebalance is over: bookkeeping only."""
        if self._consumer is not None:
            self._consumer.pause(*assigned)
        self._joins.append(asyncio.get_running_loop().time())
        self.owned = frozenset(tp.partition for tp in assigned)
        self.joined = True
        self.told += 1
        self.settled.set()
        self.changed.set()
        self._notice(self.owned)
