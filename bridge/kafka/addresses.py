"""Which topics exist that callers want their replies in.

Satisfies `bridge.shard.ports.Replies`. A record for a missing topic would hold up a transaction until it fails, so this
is asked first. All topics are asked for, since asking for one by name may create it.
"""

import asyncio
import time
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from bridge.kafka.connection import Connection

FRESH_SECONDS = 30.0
AGAIN_SECONDS = 1.0
"""A missing topic may just have been made: it is looked for again, but not for every command."""


class Addresses:
    """The topics of the cluster, looked up again when the last look is old, and sooner when one is missing."""

    def __init__(self, connection: Connection, own: Mapping[str, int]) -> None:
        """`own` are the bridge's topics with their partitions: those need no look."""
        self._connection = connection
        self._own = own
        self._foreign: dict[str, int] = {}
        self._looked_at = float("-inf")
        self._turn = asyncio.Lock()

    async def partitions(self, topic: str) -> int | None:
        """How many partitions the topic has; None when it does not exist, or the cluster does not answer."""
        if topic in self._own:
            return self._own[topic]
        async with self._turn:
            age = time.monotonic() - self._looked_at
            if age > (FRESH_SECONDS if topic in self._foreign else AGAIN_SECONDS):
                await self._look()
        return self._foreign.get(topic)

    async def _look(self) -> None:
        try:
            async with self._connection.admin() as admin:
                described = await admin.describe_topics()
        except (KafkaError, TimeoutError):
            return
        self._foreign = {topic["topic"]: len(topic["partitions"]) for topic in described}
        self._looked_at = time.monotonic()
