"""The ledger: a shard's one way to write. Group commit over one transactional producer.

Flows hand over a function that writes its records into a draft; the ledger runs everything that is waiting, one after
the other and against the latest state, into one Kafka transaction:

1. begin in the book · 2. run the writers, who read the book and add records · 3. begin the transaction ·
4. send all and await every batch's future (aiokafka commits even when a batch failed) · 5. commit ·
6. keep the book · 7. release the callers.

Nothing is released and nothing is known before 5 is known. Whatever goes wrong from 3 to 6 leaves the outcome unknown,
so the session ends: there is no repair path. Called by `bridge.shard`; knows records and a book, not what they mean.

A commit that succeeded slowly may have been sent twice: aiokafka repeats EndTxn after `retry_backoff_ms`, and the late
copy would end the *next* transaction (KIP-890). Such a commit is followed by a renewal: a new producer of the same
transactional id bumps the epoch, which makes a late copy harmless. The callers are released only after it: a process
that was paused in a commit finds out first whether the shard is still its own, before anybody acts on the commit.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from bridge.access import denied
from bridge.contract.records import Outgoing
from bridge.kafka.connection import RETRY_BACKOFF_MS, Connection, broken_by, denials_named, heed_cancellation, let_go
from bridge.kafka.sending import send
from bridge.policy.sessions import Ending, RecordTooLarge, SessionEnded

T = TypeVar("T")

DOUBT_SECONDS = RETRY_BACKOFF_MS / 1000 * 0.9
LARGEST_BATCH = 2_000_000
"""Bytes of a record that no topic of ours would take; dead letters may be larger than commands."""

HEADERS_BYTES = 1024
"""What headers and framing of an ordinary record come to, near enough for the size of a group."""

GROUP_BYTES = 4 * 1024 * 1024


class Book(Protocol):
    """What the ledger keeps in step with the log. Changes between `begin` and `keep` are seen by writers only."""

    def begin(self) -> None:
        """Open the working state for one transaction."""
        ...

    def mark(self) -> None:
        """Remember the working state, before one writer."""
        ...

    def undo(self) -> None:
        """Back to the last mark: the writer failed."""
        ...

    def learn(self, record: Outgoing) -> None:
        """Take a drafted record into the working state; records on topics that are no changelog mean nothing."""
        ...

    def keep(self, ends: Mapping[str, int]) -> None:
        """The transaction is committed: make the working state the known one, with the changelogs' next offsets."""
        ...

    def forget(self) -> None:
        """Drop the working state."""
        ...


class Draft:
    """A transaction in the making."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.records: list[Outgoing] = []
        self.size = 0

    def add(self, record: Outgoing) -> None:
        """Put a record into the transaction.

        Raises:
            RecordTooLarge: the record is larger than any topic of ours takes.
        """
        size = len(record.key or b"") + len(record.value or b"") + HEADERS_BYTES
        if size > LARGEST_BATCH // 2 and (size := record.size()) > LARGEST_BATCH:
            raise RecordTooLarge(f"{size} bytes for {record.topic}; at most {LARGEST_BATCH} can be written")
        self.records.append(record)
        self.size += size
        self._book.learn(record)

    def cut(self, length: int, size: int) -> None:
        """Take back everything after the first `length` records."""
        del self.records[length:]
        self.size = size


@dataclass(slots=True)
class _Waiting:
    write: Callable[[Draft], Any]
    done: asyncio.Future[Any]
    result: Any = None


class Ledger:
    """Group commit for one shard session. `open`, then `run` as a task; `commit` from any flow."""

    def __init__(
        self,
        connection: Connection,
        transactional_id: str,
        shard: int,
        book: Book,
        *,
        renewed: Callable[[], Awaitable[bool]],
        held: Callable[[], bool] = lambda: True,
        doubt_seconds: float = DOUBT_SECONDS,
        observe: Callable[[str, float], None] = lambda _outcome, _seconds: None,
    ) -> None:
        """`renewed` is asked after a renewal whether the log is as we left it; `observe` gets (outcome, seconds).

        `held` is asked before a renewal, which would fence a successor, whether the shard is still ours.

        A commit that takes `doubt_seconds` or longer is followed by a renewal.
        """
        self._connection = connection
        self._transactional_id = transactional_id
        self._shard = shard
        self._book = book
        self._renewed = renewed
        self._held = held
        self._doubt_seconds = doubt_seconds
        self._observe = observe
        self._producer: AIOKafkaProducer | None = None
        self._queue: deque[_Waiting] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended: SessionEnded | None = None

    async def open(self) -> None:
        """Fence every predecessor: from here on nothing of theirs can commit, and all they committed is visible."""
        producer = self._connection.transactional_producer(self._transactional_id)
        try:
            with denials_named():
                async with asyncio.timeout(self._connection.request_seconds * 3):
                    await producer.start()
        except BaseException:
            await let_go(producer)
            raise
        self._producer = producer

    async def close(self) -> None:
        """End the session's writing; whoever still waits is told so."""
        self._end(SessionEnded(Ending.STOPPED, "the session was closed"))
        if self._producer is not None:
            await let_go(self._producer)

    async def drained(self) -> None:
        """Wait until nothing waits to be written, and let nobody wait for company."""
        self._work.set()
        await self._idle.wait()

    async def commit(self, write: Callable[[Draft], T], *, within: float = 0.0) -> T:
        """See `bridge.shard.ports.Ledger.commit`."""
        if self._ended is not None:
            raise SessionEnded(self._ended.ending, str(self._ended))
        waiting = _Waiting(write, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._idle.clear()
        if within:
            asyncio.get_running_loop().call_later(within, self._work.set)
        else:
            self._work.set()
        result: T = await waiting.done
        return result

    async def run(self) -> None:
        """Commit what waits, for ever.

        Raises:
            SessionEnded: a commit is in doubt, or somebody else has fenced this producer.
        """
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._queue:
                    await self._transact()
                    heed_cancellation()
                self._idle.set()
        except SessionEnded as problem:
            self._end(problem)
            raise
        except BaseException:
            self._end(SessionEnded(Ending.BROKEN, "the ledger was cancelled"))
            raise

    def _end(self, problem: SessionEnded) -> None:
        self._ended = self._ended or problem
        _release(self._queue, self._ended)
        self._queue.clear()
        self._idle.set()

    async def _transact(self) -> None:
        self._book.begin()
        draft, group = self._draft()
        try:
            slow = False
            ends: Mapping[str, int] = {}
            if draft.records:
                ends, slow = await self._commit(draft.records)
            self._book.keep(ends)
            if slow:
                await self._renew()
        except BaseException as problem:
            self._book.forget()
            ended = _ending(problem)
            self._observe(ended.ending, 0.0)
            _release(group, ended)
            if isinstance(problem, Exception):
                raise ended from problem
            raise
        _release(group)

    def _draft(self) -> tuple[Draft, list[_Waiting]]:
        draft = Draft(self._book)
        group: list[_Waiting] = []
        while self._queue and draft.size < GROUP_BYTES:
            waiting = self._queue.popleft()
            if waiting.done.done():
                continue  # its caller has gone away before anything was written
            length, size = len(draft.records), draft.size
            self._book.mark()
            try:
                waiting.result = waiting.write(draft)
            except Exception as problem:  # noqa: BLE001 - one writer's failure is its caller's, not the group's
                self._book.undo()
                draft.cut(length, size)
                waiting.done.set_exception(problem)
            else:
                group.append(waiting)
        return draft, group

    async def _commit(self, records: Sequence[Outgoing]) -> tuple[Mapping[str, int], bool]:
        producer = self._producer
        if producer is None:
            raise SessionEnded(Ending.BROKEN, "the session was never opened")
        started = time.monotonic()
        async with asyncio.timeout(self._connection.request_seconds * 1.5):
            try:
                await producer.begin_transaction()
                ends = await send(producer, records, self._shard)
                committing = time.monotonic()
                await producer.commit_transaction()
            except KafkaError as problem:
                raise broken_by(producer) or problem from None
        now = time.monotonic()
        self._observe("committed", now - started)
        return ends, now - committing >= self._doubt_seconds

    async def _renew(self) -> None:
        """A new producer after a slow commit, on condition that nobody else has written meanwhile."""
        if not self._held():
            raise SessionEnded(Ending.LOST, "a commit was slow, and the shard is another member's now")
        self._observe("renewed", 0.0)
        old, self._producer = self._producer, None
        if old is not None:
            await let_go(old)
        try:
            await self.open()
            intact = await self._renewed()
        except (KafkaError, TimeoutError) as problem:
            raise _ending(problem) from problem
        if not intact:
            raise SessionEnded(Ending.FOREIGN, "another owner has written to this shard")


def _ending(problem: BaseException) -> SessionEnded:
    if isinstance(problem, SessionEnded):
        return problem
    if isinstance(problem, ProducerFenced):
        return SessionEnded(Ending.FENCED, "another producer of this transactional id has started")
    if (what := denied(problem, "write")) is not None:
        return SessionEnded(Ending.BROKEN, what)
    if isinstance(problem, (KafkaError, TimeoutError, AssertionError)):
        # aiokafka's own state checks are assertions; after a fence or a time-out they are what commit and abort raise
        return SessionEnded(Ending.IN_DOUBT, f"a commit failed with {type(problem).__name__}")
    return SessionEnded(Ending.BROKEN, type(problem).__name__)


def _release(group: Iterable[_Waiting], problem: Exception | None = None) -> None:
    for waiting in group:
        if waiting.done.done():
            continue  # its caller has gone away; what it wrote stands all the same
        if problem is None:
            waiting.done.set_result(waiting.result)
        else:
            waiting.done.set_exception(problem)
