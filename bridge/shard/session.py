"""A shard session: the one way to own a shard, from the fence to the end.

1. Still assigned to us? Fence: no predecessor can commit any more. Still assigned? Who takes a shard over first leaves
   the predecessor, which may be alive, a moment for the calls that it has under way.
2. No transaction is open on any changelog partition.
3. Replay the changelog from the memory's offsets to its end.
4. Input positions come from the memory, never from the consumer group.
5. Open the gate: flows begin; commands found in doubt are settled by the flow that meets them again.

It ends by any error, a fence, or a commit in doubt: gate closed, flows cancelled, producer dropped; then a new session
begins from 1. There is no repair path. Asked to stop, it drains first. Called by `bridge.app`, one task per owned
shard.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.contract.records import Incoming
from bridge.policy.sessions import Ending, SessionEnded, pause_after
from bridge.shard.cursors import position_key
from bridge.shard.journal import attempted_since
from bridge.shard.memory import Memory
from bridge.shard.ports import Changelog, Intake, Ledger, Membership, Sink

STEADY_SECONDS = 60.0
"""A session open for so long starts the count of endings in a row afresh."""

HANDOVER_SECONDS = 3.0
"""What an owner that has lost its shard may take to finish its calls, and its successor waits for at most."""
HANDOVER_LOOK_SECONDS = 0.1

PULSE_SECONDS = 10.0
"""Between two empty commits, which show that the shard's writing moves."""


class Flow(Protocol):
    """One direction of work in an owned shard, which may be cancelled at any moment: it goes on from its cursor."""

    async def run(self) -> None:
        """Work for ever."""
        ...


class Inlet(Protocol):
    """A flow that works on delivered records and has to finish what it has begun."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, finish what was begun, return."""
        ...

    def sinks(self) -> dict[str, Sink]:
        """Where the records of each of its topics go."""
        ...

    def positions(self) -> dict[str, int]:
        """Where to begin in each of its topics, out of the memory."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """What runs in a session."""

    plain: Sequence[Flow]
    inlets: Sequence[Inlet]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the changelog topics keep what compaction would remove, in seconds."""

    journal: float
    tombstones: float

    @property
    def memory(self) -> float:
        """A memory older than this may have missed tombstones that have been removed since: it is rebuilt."""
        return self.tombstones / 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of, joined by `bridge.app`."""

    shard: int
    memory: Memory
    ledger: Callable[[Callable[[], Awaitable[bool]]], Ledger]
    """Makes a new ledger; the argument is asked after a renewal whether nobody else has written."""
    changelog: Changelog
    intake: Intake
    input_ends: Callable[[], Awaitable[Mapping[str, int]]]
    """Where the shard's input topics end."""
    membership: Membership
    flows: Callable[[Ledger, float], Flows]
    """Makes the flows for a new ledger and the moment of the fence (loop time)."""
    retention: Retention
    clock: Callable[[], float]
    opened: Callable[[int], None]
    ended: Callable[[int, Ending, str], None]
    moved: Callable[[str], None] = lambda _doing: None
    """Told what the session does, whenever it gets on."""


async def own(parts: Parts, stop: asyncio.Event) -> None:
    """Hold sessions one after the other until asked to stop, or until the shard is somebody else's."""
    loop = asyncio.get_running_loop()
    in_a_row, handover = 0, HANDOVER_SECONDS
    while not stop.is_set():
        started = loop.time()
        try:
            ending, detail = await _session(parts, stop, handover)
            _heed_cancellation()
        except asyncio.CancelledError:
            parts.ended(parts.shard, Ending.STOPPED, "cut off")
            raise
        parts.ended(parts.shard, ending, detail)
        if ending in (Ending.STOPPED, Ending.LOST) or stop.is_set():
            return
        in_a_row = 0 if loop.time() - started > STEADY_SECONDS else in_a_row + 1
        handover = 0.0
        parts.moved(f"beginning afresh after {ending}")
        await asyncio.sleep(pause_after(ending, in_a_row))


def _heed_cancellation() -> None:
    """A group in which a task fails while the group is being cancelled raises the failure alone: `TaskGroup`'s way."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _session(parts: Parts, stop: asyncio.Event, handover: float) -> tuple[Ending, str]:
    ledger = parts.ledger(lambda: _intact(parts))
    try:
        await _open(parts, ledger, handover)
        await _work(parts, ledger, stop)
    except Exception as problem:  # noqa: BLE001 - every failure has the one way out: a new session
        return _ending(parts, _first(problem))
    finally:
        parts.intake.close(parts.shard)
        await ledger.close()
    return Ending.STOPPED, "drained"


def _ending(parts: Parts, problem: BaseException) -> tuple[Ending, str]:
    if isinstance(problem, SessionEnded):
        return problem.ending, str(problem)
    if isinstance(problem, sqlite3.DatabaseError):
        parts.memory.discard()
        return Ending.BROKEN, f"the memory file is damaged and will be rebuilt: {type(problem).__name__}"
    return Ending.BROKEN, f"{type(problem).__name__} at {_where(problem)}"


async def _open(parts: Parts, ledger: Ledger, handover: float) -> None:
    parts.moved("waiting for the group")
    await _refuse_unless_held(parts)
    await _leave_time(parts, handover)
    parts.moved("fencing")
    await ledger.open()
    await _refuse_unless_held(parts)
    await _catch_up(parts)
    parts.memory.prune(parts.retention.journal, parts.retention.tombstones)
    await _refuse_if_cut_off(parts)


async def _leave_time(parts: Parts, seconds: float) -> None:
    """Let the owner before us finish its calls, if the journal shows any: it may live, and has been told when we were.

    Nothing depends on it: a call that is not finished is settled.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until and await _calls_under_way(parts):  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(HANDOVER_LOOK_SECONDS)


async def _calls_under_way(parts: Parts) -> bool:
    try:
        await _catch_up(parts)
    except SessionEnded as problem:
        if problem.ending is Ending.UNSETTLED:
            return True  # it is writing at this moment
        raise
    return attempted_since(parts.memory.known, parts.clock() - HANDOVER_SECONDS)


async def _catch_up(parts: Parts) -> None:
    """Bring the memory to the end of the changelog; one that does not fit it is thrown away first."""
    parts.moved("restoring")
    begins, ends = await parts.changelog.bounds()
    since = parts.memory.offsets()
    saved_at = parts.memory.saved_at()
    outdated = saved_at is not None and parts.clock() - saved_at > parts.retention.memory
    outside = any(not begins[topic] <= since.get(topic, 0) <= end for topic, end in ends.items() if topic in since)
    if outdated or outside:
        parts.memory.discard()
        since = {}

    def learn(records: Sequence[Incoming], offsets: Mapping[str, int]) -> None:
        parts.memory.replay(records, offsets)
        parts.moved(f"restoring: {sum(offsets.values())} of {sum(ends.values())} offsets")

    await parts.changelog.replay(since, ends, learn)


async def _refuse_if_cut_off(parts: Parts) -> None:
    """A position beyond a topic's end would skip all that is written until the end has caught up with it."""
    for topic, end in (await parts.input_ends()).items():
        kept = parts.memory.known.cursor(position_key(topic))
        if kept is not None and kept["next"] > end:
            raise SessionEnded(
                Ending.CUT_OFF,
                f"{topic} ends at {end}, before the position {kept['next']}: it was deleted and made again. Commands "
                "without an id of their own are known by their place in it, so the bridge does not guess: make the "
                "bridge's cursors and journal topics anew as well, or use another topics.prefix",
            )


async def _intact(parts: Parts) -> bool:
    """Whether the log holds nothing that this session has not written, after its producer was renewed."""
    if not await parts.membership.holds(parts.shard):
        return False
    _, ends = await parts.changelog.bounds()
    return await parts.changelog.replay(parts.memory.offsets(), ends, parts.memory.replay) == 0


async def _refuse_unless_held(parts: Parts) -> None:
    if not await parts.membership.holds(parts.shard):
        raise SessionEnded(Ending.LOST, "assigned to another member")


async def _work(parts: Parts, ledger: Ledger, stop: asyncio.Event) -> None:
    flows = parts.flows(ledger, asyncio.get_running_loop().time())
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(ledger.run(), name=f"ledger {parts.shard}")
        reading = [group.create_task(_eternal(flow), name=_name(flow, parts.shard)) for flow in flows.plain]
        reading.append(group.create_task(_pulse(parts, ledger), name=f"pulse {parts.shard}"))
        taking = [group.create_task(inlet.run(stop), name=_name(inlet, parts.shard)) for inlet in flows.inlets]
        await asyncio.sleep(0)  # inlets have begun to run before anything is delivered
        parts.intake.open(
            parts.shard,
            lambda: {topic: offset for inlet in flows.inlets for topic, offset in inlet.positions().items()},
            {topic: sink for inlet in flows.inlets for topic, sink in inlet.sinks().items()},
        )
        parts.opened(parts.shard)
        await stop.wait()
        parts.moved("draining")
        parts.intake.close(parts.shard)
        for task in reading:
            task.cancel()
        await asyncio.wait(taking)
        await ledger.drained()
        writing.cancel()


async def _pulse(parts: Parts, ledger: Ledger) -> None:
    """Show that the shard moves: an empty commit passes through everything that a real one does but Kafka."""
    while True:
        await ledger.commit(lambda _draft: None)
        parts.moved("at work")
        await asyncio.sleep(PULSE_SECONDS)


async def _eternal(flow: Flow) -> None:
    await flow.run()
    raise SessionEnded(Ending.BROKEN, f"{type(flow).__name__} returned although nobody asked it to")


def _name(flow: object, shard: int) -> str:
    return f"{type(flow).__name__} {shard}"


def _first(problem: BaseException) -> BaseException:
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def _where(problem: BaseException) -> str:
    """The place an unexpected error came from: file, line and function, no values."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('bridge/')[2]}:{trace.tb_lineno} in {code.co_name}"
