"""Executing: commands from their topics, carried out at Copper, answered exactly once.

record → `Command` or `Malformed` → journal "attempt" (committed) → call → journal "result" + reply + events + position,
in one transaction. Commands on one record run in the order of their offsets, others side by side. What to do about each
outcome is decided by `policy.outcomes` and `policy.settling`; this flow only does it. Called by the shard session.
"""

import asyncio
import contextlib
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import NOT_SERVED, Command, Malformed, decode, forwarded
from bridge.contract.cursors import position_key
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming
from bridge.contract.replies import failed
from bridge.contract.sharding import shard_of
from bridge.contract.signing import NO_KEYS, SigningKeys
from bridge.policy.positions import Positions
from bridge.policy.sessions import SessionEnded
from bridge.shard.attempting import Attempting
from bridge.shard.concluding import Concluding
from bridge.shard.outcome import Outcome
from bridge.shard.ports import Copper, Intake, Sink, Tracing

HOLD_ABOVE = 1000
"""Commands of one topic taken in and not yet answered; above that its partition is paused."""
RELEASE_BELOW = 250

TOO_LARGE_TO_FORWARD = Failure(
    Code.TOO_LARGE,
    "Too large",
    "the command lies in another account's partition and is too large to be moved: make its key the account's name",
)


@dataclass(frozen=True, slots=True)
class Served:
    """What commands are judged by. `partitions` is the number of shards."""

    coppers: Mapping[str, Copper]
    partitions: int
    allowed_replies: Sequence[str]
    keys: Callable[[], SigningKeys] = lambda: NO_KEYS
    """Those that hold when a command is delivered."""


class Executing:
    """The flow for the command topics of one shard."""

    def __init__(
        self,
        served: Served,
        intake: Intake,
        attempting: Attempting,
        concluding: Concluding,
        unexpected: Callable[[BaseException], None],
        tracing: Tracing,
    ) -> None:
        """`unexpected` is told of errors in our own code, which the caller sees as `internal` or `unknown`."""
        self._served = served
        self._intake = intake
        self._attempting = attempting
        self._concluding = concluding
        self._unexpected = unexpected
        self._tracing = tracing
        self._names = concluding.publishing.names
        self._shard = concluding.publishing.shard
        self._entities = {self._names.commands(entity): entity for entity in CATALOGUE.entities}
        known = concluding.publishing.memory.known
        self._positions = {topic: Positions.decode(known.cursor(position_key(topic))) for topic in self._entities}
        self._open = dict.fromkeys(self._entities, 0)
        self._waiting: dict[Hashable, deque[tuple[Incoming, Command | Malformed]]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._begun: set[asyncio.Task[None]] = set()
        """Workers whose call may have an effect: a stop waits for them."""

    def positions(self) -> dict[str, int]:
        """Where to begin in each topic."""
        return {topic: positions.next for topic, positions in self._positions.items()}

    def waiting(self) -> Counter[str]:
        """Commands taken in and not yet answered, by account."""
        queued = (command.account for queue in self._waiting.values() for _, command in queue)
        return Counter(account for account in queued if account is not None)

    def sinks(self) -> dict[str, Sink]:
        """Where each topic's records go."""
        return dict.fromkeys(self._entities, self._deliver)

    async def run(self, stop: asyncio.Event) -> None:
        """Carry out what is delivered; asked to stop, finish what has begun and drop what has not."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await stop.wait()
            finally:
                self._group = None  # a group that ends takes no more tasks, whatever ends it
            for worker in self._workers - self._begun:
                worker.cancel()

    def _deliver(self, records: Sequence[Incoming]) -> None:
        for record in records:
            topic, offset = record.position.topic, record.position.offset
            if self._group is None or self._positions[topic].already_finished(offset):
                continue
            self._positions[topic].deliver(offset)
            self._open[topic] += 1
            self._enqueue(record)
        topic = records[0].position.topic
        if self._open[topic] > HOLD_ABOVE:
            self._intake.hold(topic, self._shard)

    def _enqueue(self, record: Incoming) -> None:
        command = decode(
            record,
            entity=self._entities[record.position.topic],
            names=self._names,
            accounts=self._served.coppers.keys(),
            allowed_replies=self._served.allowed_replies,
            keys=self._served.keys(),
        )
        key = _order_key(command)
        if key in self._waiting:
            self._waiting[key].append((record, command))
        elif self._group is not None:
            self._waiting[key] = deque([(record, command)])
            worker = self._group.create_task(self._work(key))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self, key: Hashable) -> None:
        """Everything that waits under one key, in order."""
        waiting = self._waiting[key]
        while waiting and self._group is not None:
            record, command = waiting[0]
            try:
                with self._tracing.processing(record):
                    await self._end(record, command)
            except Exception:
                self._group = None  # the session is over: what is delivered from here on is for the next one
                raise
            waiting.popleft()
            self._answered(record.position.topic)
        del self._waiting[key]

    def _answered(self, topic: str) -> None:
        self._open[topic] -= 1
        if self._open[topic] < RELEASE_BELOW:
            self._intake.release(topic, self._shard)

    async def _end(self, record: Incoming, command: Command | Malformed) -> None:
        """Carry the command out; one whose ending cannot be written ends without it, for it must not end every session.

        An error of ours in a write undoes that write alone; what is finished already has been answered. A memory that
        fails is nobody's poison: the session ends, and its successor carries the command out.
        """
        positions = self._positions[record.position.topic]
        for end in (self._carry_out, self._break_off):
            try:
                await end(record, command)
            except (SessionEnded, sqlite3.Error):
                raise
            except Exception as problem:  # noqa: BLE001 - one command's misfortune must not stop its partition
                self._unexpected(problem)
                if positions.already_finished(record.position.offset):
                    return
            else:
                return
        await self._concluding.skip(record, positions)

    async def _break_off(self, record: Incoming, command: Command | Malformed) -> None:
        positions = self._positions[record.position.topic]
        if isinstance(command, Malformed):
            await self._concluding.refuse(command, positions)
        else:
            await self._concluding.conclude(command, record, self._attempting.broken(command), positions)

    async def _carry_out(self, record: Incoming, command: Command | Malformed) -> None:
        positions = self._positions[record.position.topic]
        if isinstance(command, Malformed):
            await self._concluding.refuse(command, positions)
            return
        shard = shard_of(command.account, self._served.partitions)
        if shard != self._shard:
            await self._forward(command, record, shard, positions)
            return
        with self._protection() as protect:
            outcome = await self._attempt(command, protect)
            protect(True)
            await self._concluding.conclude(command, record, outcome, positions)

    async def _forward(self, command: Command, record: Incoming, shard: int, positions: Positions) -> None:
        moved = forwarded(record, shard)
        if moved.fits():
            await self._concluding.forward(record, moved, positions)
            return
        stuck = Malformed(
            command.id, command.account, command.entity, command.action, TOO_LARGE_TO_FORWARD, command.reply, record,
            command.position,
        )  # fmt: skip
        await self._concluding.refuse(stuck, positions)

    async def _attempt(self, command: Command, protect: Callable[[bool], None]) -> Outcome:
        if command.account not in self._served.coppers:  # it was disconnected while the command waited
            return Outcome(failed(NOT_SERVED))
        try:
            return await self._attempting.attempt(command, protect)
        except (SessionEnded, sqlite3.Error):
            raise
        except Exception as problem:  # noqa: BLE001 - one command's misfortune must not stop its partition
            self._unexpected(problem)
            return self._attempting.broken(command)

    @contextlib.contextmanager
    def _protection(self) -> Iterator[Callable[[bool], None]]:
        """Gives a function that says whether a stop has to wait for this worker; at the block's end it has not."""
        worker = asyncio.current_task()
        if worker is None:
            raise RuntimeError("commands are carried out by tasks")

        def protect(begun: bool) -> None:
            if begun:
                self._begun.add(worker)
                return
            self._begun.discard(worker)
            if self._group is None:  # a stop has gone by: what waits from here on is for the next session
                worker.cancel()

        try:
            yield protect
        finally:
            self._begun.discard(worker)


def _order_key(command: Command | Malformed) -> Hashable:
    """What must run in order: commands on one record, upserts of one match, creates of the same content.

    Creates that ask the same could not be told apart while two were in doubt. Repetitions of one id ask the same, so
    the second waits for the first; those that do not are refused, whatever their order.
    """
    if isinstance(command, Malformed):
        return ("malformed", command.id)
    if command.record_id is not None:
        return (command.account, command.entity, command.record_id)
    if command.match is not None:
        return (command.account, command.entity, "match", str(command.match.get("value")).casefold())
    return (command.account, command.entity, command.fingerprint)
