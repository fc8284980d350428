"""How every Kafka client of the bridge is made, and how one is let go of.

Called by the other modules of `bridge.kafka` only. Knows the settings and aiokafka's constructor arguments, nothing of
topics or shards.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.producer import sender

import bridge.kafka.lenient  # noqa: F401 - for its effect on every consumer
from bridge.access import Access, denied
from bridge.kafka.abandoning import abandon
from bridge.policy.sessions import Ending, SessionEnded
from bridge.settings import KafkaSettings

RETRY_BACKOFF_MS = 100
"""aiokafka's pause before it sends a request again. A commit that took nearly as long may have been sent twice."""

sender.BACKOFF_OVERRIDE = 0.005
"""A transaction that begins within milliseconds of the last one's end is told to wait (CONCURRENT_TRANSACTIONS);
aiokafka
waits 20 ms, which makes back-to-back commits take 33 ms instead of 10. Private to aiokafka 0.14, hence pinned and
tested."""

COMPRESSION = "zstd"
MAX_BATCH_BYTES = 512 * 1024
LET_GO_SECONDS = 3.0


class Stoppable(Protocol):
    """A client that must be stopped, and whose stop may never return when no broker answers."""

    async def stop(self) -> None:
        """Flush and close."""
        ...


class Connection:
    """The one place that turns settings into Kafka clients. Holds no connection itself."""

    def __init__(
        self, settings: KafkaSettings, client_id: str, *, troubled: Callable[[str], None] = lambda _why: None
    ) -> None:
        """`troubled` is told, in words, why Kafka cannot be used while the bridge runs."""
        self._access = Access(settings.bootstrap_servers, settings)
        self._troubled = troubled
        self._common = {
            **self._access.arguments,
            "client_id": client_id,
            "request_timeout_ms": int(settings.request_timeout.total_seconds() * 1000),
            "retry_backoff_ms": RETRY_BACKOFF_MS,
        }
        self.request_seconds = settings.request_timeout.total_seconds()
        self._transaction_timeout_ms = int(settings.transaction_timeout.total_seconds() * 1000)

    def transactional_producer(self, transactional_id: str) -> AIOKafkaProducer:
        """A producer that fences every earlier one of the same transactional id when it starts."""
        return AIOKafkaProducer(
            **self._common,
            transactional_id=transactional_id,
            transaction_timeout_ms=self._transaction_timeout_ms,
            compression_type=COMPRESSION,
            max_batch_size=MAX_BATCH_BYTES,
        )

    def plain_producer(self) -> AIOKafkaProducer:
        """A producer with acks=all and no idempotence.

        Duplicates do no harm where it is used, a poisoned sequence would.
        """
        return AIOKafkaProducer(**self._common, acks="all")

    def consumer(self, *, committed: bool = True, **options: Any) -> AIOKafkaConsumer:
        """A consumer without auto-commit. `committed` chooses between read_committed and read_uncommitted."""
        return AIOKafkaConsumer(
            **self._common
            | {
                "enable_auto_commit": False,
                "isolation_level": "read_committed" if committed else "read_uncommitted",
            }
            | options
        )

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client, started and closed."""
        client = AIOKafkaAdminClient(**self._common)
        async with asyncio.timeout(self.request_seconds * 2):
            await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def why(self, problem: BaseException, doing: str = "use") -> str:
        """What an error of a client means, in words; for a lost connection one more is tried."""
        return denied(problem, doing) or await self._access.obstacle() or type(problem).__name__

    async def tell(self, problem: BaseException, doing: str = "use") -> None:
        """Have it told why a client has to be replaced."""
        self._troubled(await self.why(problem, doing))


@contextlib.contextmanager
def denials_named(doing: str = "use") -> Iterator[None]:
    """In a shard session: what an authorizer denies ends it with the name of what is denied."""
    try:
        yield
    except KafkaError as problem:
        what = denied(problem, doing)
        if what is None:
            raise
        raise SessionEnded(Ending.BROKEN, what) from problem


def heed_cancellation() -> None:
    """Raise the cancellation that was asked of this task, in case a library has swallowed it.

    aiokafka awaits through `asyncio.wait_for`, which on Python 3.11 loses a cancellation that arrives just after its
    future is done, and its `stop()` catches cancellations of its own. Loops that are ended by cancelling call this.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def let_go(client: Stoppable) -> None:
    """Stop a client within a deadline of our own, whatever it does.

    Without a broker `stop()` never returns; while a fetch pauses after a failure it may even end as cancelled, half
    done. Then the tasks and sockets are ended one by one, which loses nothing: whatever was not committed is not going
    to be.
    """
    broken_by(client)
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping], timeout=LET_GO_SECONDS)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return
    stopping.cancel()
    await abandon(client)


def broken_by(client: object) -> BaseException | None:
    """What broke a producer's transaction first, if anything did: what is raised is what came of it.

    It lies in a future that nobody awaits; asyncio would complain of it much later if it were not asked for.
    """
    waiter = getattr(getattr(client, "_txn_manager", None), "_transaction_waiter", None)
    if waiter is not None and waiter.done() and not waiter.cancelled():
        problem: BaseException | None = waiter.exception()
        return problem
    return None
