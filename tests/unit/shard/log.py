"""Kafka's side of a shard in memory: a log that survives everything, and the ports that read and write it."""

import asyncio
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bridge.contract.records import Incoming, Outgoing, Position
from bridge.policy.sessions import Ending, RecordTooLarge, SessionEnded
from bridge.shard.memory import Memory
from bridge.shard.ports import Sink
from tests.unit.shard.endings import Endings, Pulse

T = TypeVar("T")
COMMIT_SECONDS = 0.02
LARGEST = 2_000_000


class Log:
    """Committed records. Every transaction leaves a marker, which takes an offset too."""

    def __init__(self, shard: int, clock: Callable[[], float], pulse: Pulse) -> None:
        self.shard = shard
        self._clock = clock
        self._pulse = pulse
        self._partitions: dict[tuple[str, int], list[Incoming]] = defaultdict(list)
        self._ends: dict[tuple[str, int], int] = defaultdict(int)
        self.transactions: list[list[Incoming]] = []
        self.arrived: list[Callable[[], None]] = []

    def put(self, record: Outgoing) -> Position:
        """What anybody writes outside of transactions."""
        kept = self._append(record)
        self._tell()
        return kept.position

    def commit(self, records: Sequence[Outgoing]) -> dict[str, int]:
        """One transaction; gives the next offsets of our partitions."""
        kept = [self._append(record) for record in records]
        touched = {(record.position.topic, record.position.partition) for record in kept}
        for partition in touched:
            self._ends[partition] += 1
        self.transactions.append(kept)
        self._tell()
        return {topic: self._ends[topic, number] for topic, number in touched if number == self.shard}

    def of(self, topic: str, partition: int | None = None) -> list[Incoming]:
        """A partition's records, ours unless said otherwise."""
        return self._partitions[topic, self.shard if partition is None else partition]

    def end(self, topic: str) -> int:
        return self._ends[topic, self.shard]

    def _append(self, record: Outgoing) -> Incoming:
        partition = self.shard if record.partition is None else record.partition
        where = (record.topic, partition)
        position = Position(record.topic, partition, self._ends[where])
        self._ends[where] += 1
        kept = Incoming(position, record.key, record.value, record.headers, round(self._clock() * 1000))
        self._partitions[where].append(kept)
        return kept

    def _tell(self) -> None:
        for told in self.arrived:
            told()
        self._pulse.beat()


class Draft:
    """A transaction in the making."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.records: list[Outgoing] = []

    def add(self, record: Outgoing) -> None:
        if record.size() > LARGEST:
            raise RecordTooLarge(record.topic)
        self.records.append(record)
        self._memory.learn(record)


@dataclass
class _Waiting:
    write: Callable[[Draft], Any]
    done: asyncio.Future[Any]
    result: Any = None


class LedgerInMemory:
    """Group commit as the real one does it, into a `Log`."""

    def __init__(self, log: Log, memory: Memory, endings: Endings) -> None:
        self._log = log
        self._memory = memory
        self._endings = endings
        self._queue: deque[_Waiting] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended: SessionEnded | None = None
        self.broken: Exception | None = None

    async def open(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        self._end(SessionEnded(Ending.STOPPED, "the session was closed"))

    async def drained(self) -> None:
        await self._idle.wait()

    def fail(self, problem: Exception) -> None:
        """Make the session end with the next turn of the loop."""
        self.broken = problem
        self._work.set()

    async def commit(self, write: Callable[[Any], T], *, within: float = 0.0) -> T:  # noqa: ARG002 - alone at once
        if self._ended is not None:
            raise SessionEnded(self._ended.ending, str(self._ended))
        waiting = _Waiting(write, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._idle.clear()
        self._work.set()
        result: T = await waiting.done
        return result

    async def run(self) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._queue:
                    await self._transact()
                self._heed()
                self._idle.set()
        except SessionEnded as problem:
            self._end(problem)
            raise
        except BaseException:
            self._end(SessionEnded(Ending.BROKEN, "the ledger was cancelled"))
            raise

    def _heed(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _end(self, problem: SessionEnded) -> None:
        self._ended = self._ended or problem
        for waiting in self._queue:
            if not waiting.done.done():
                waiting.done.set_exception(self._ended)
        self._queue.clear()
        self._idle.set()

    async def _transact(self) -> None:
        self._memory.begin()
        draft, group = self._draft()
        try:
            ends: Mapping[str, int] = {}
            if draft.records:
                await asyncio.sleep(COMMIT_SECONDS)
                await self._endings.here("before a commit")
                ends = self._log.commit(draft.records)
                await self._endings.here("a commit that the memory has not kept")
            self._memory.keep(ends)
            if draft.records:
                await self._endings.here("a commit that nobody has been told of")
        except BaseException as problem:
            self._memory.forget()
            ended = problem if isinstance(problem, SessionEnded) else SessionEnded(Ending.BROKEN, "cancelled")
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(ended)
            raise
        for waiting in group:
            if not waiting.done.done():
                waiting.done.set_result(waiting.result)

    def _draft(self) -> tuple[Draft, list[_Waiting]]:
        draft, group = Draft(self._memory), list[_Waiting]()
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.done.done():
                continue
            length = len(draft.records)
            self._memory.mark()
            try:
                waiting.result = waiting.write(draft)
            except Exception as problem:  # noqa: BLE001 - its caller's, as in the real ledger
                self._memory.undo()
                del draft.records[length:]
                waiting.done.set_exception(problem)
            else:
                group.append(waiting)
        return draft, group


class IntakeInMemory:
    """Delivers what the log holds and what is put into it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sinks: dict[str, Sink] = {}
        self._next: dict[str, int] = {}
        self._held: set[str] = set()
        self._progress: Callable[[], Mapping[str, int]] = dict
        self.told: list[tuple[str, str]] = []
        """Every hold and every release that had one to end."""
        log.arrived.append(self._soon)

    def open(self, shard: int, progress: Callable[[], Mapping[str, int]], sinks: Mapping[str, Sink]) -> None:
        assert shard == self._log.shard
        self._progress = progress
        self._sinks = dict(sinks)
        self._next = {topic: progress().get(topic, 0) for topic in sinks}
        self._soon()

    def close(self, shard: int) -> None:
        assert shard == self._log.shard
        self._sinks = {}
        self._held = set()

    def hold(self, topic: str, shard: int) -> None:
        assert shard == self._log.shard
        if topic not in self._held:
            self._held.add(topic)
            self.told.append(("hold", topic))

    def release(self, topic: str, shard: int) -> None:
        assert shard == self._log.shard
        if topic in self._held:
            self._held.discard(topic)
            self.told.append(("release", topic))
            self._soon()

    def shown(self) -> Mapping[str, int]:
        """The positions that lag tools would see."""
        return self._progress()

    def _soon(self) -> None:
        if self._sinks:
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        for topic, sink in list(self._sinks.items()):
            records = self._log.of(topic)
            fresh = records[bisect_left(records, self._next[topic], key=lambda record: record.position.offset) :]
            if fresh and topic not in self._held:
                self._next[topic] = fresh[-1].position.offset + 1
                sink(fresh)


class ChangelogInMemory:
    """The shard's memory as the log has it."""

    def __init__(self, log: Log, topics: Sequence[str]) -> None:
        self._log = log
        self._topics = topics
        self.replayed: list[Mapping[str, int]] = []
        """Where each replay that had something to read began."""

    async def bounds(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        await asyncio.sleep(0)
        return dict.fromkeys(self._topics, 0), {topic: self._log.end(topic) for topic in self._topics}

    async def replay(
        self,
        since: Mapping[str, int],
        until: Mapping[str, int],
        learn: Callable[[Sequence[Incoming], Mapping[str, int]], None],
    ) -> int:
        await asyncio.sleep(0)
        if all(since.get(topic, 0) >= until[topic] for topic in self._topics):
            return 0
        self.replayed.append(dict(since))
        records = [
            record
            for topic in self._topics
            for record in self._log.of(topic)
            if since.get(topic, 0) <= record.position.offset < until[topic]
        ]
        learn(records, until)
        return len(records)


@dataclass
class MembershipInMemory:
    """Says what it is told to, then that the shard is ours."""

    answers: deque[bool] = field(default_factory=deque)
    asked: list[int] = field(default_factory=list)

    async def holds(self, shard: int) -> bool:
        await asyncio.sleep(0)
        self.asked.append(shard)
        return self.answers.popleft() if self.answers else True


@dataclass
class RepliesInMemory:
    """Topics of other people; ours are there."""

    foreign: dict[str, int] = field(default_factory=dict)

    async def partitions(self, topic: str) -> int | None:
        await asyncio.sleep(0)
        return 4 if topic.startswith("copper.") else self.foreign.get(topic)
