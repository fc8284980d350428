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

from bridge.policy.sessions import Ending, SessionEnded, pause_after
from bridge.shard.hosting import eternal
from bridge.shard.opening import HANDOVER_SECONDS, open_shard
from bridge.shard.parts import Parts
from bridge.shard.ports import Ledger

STEADY_SECONDS = 60.0
"""A session open for so long starts the count of endings in a row afresh."""

PULSE_SECONDS = 10.0
"""Between two empty commits, which show that the shard's writing moves."""


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
        await open_shard(parts, ledger, handover)
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


async def _intact(parts: Parts) -> bool:
    """Whether the log holds nothing that this session has not written, after its producer was renewed."""
    if not await parts.membership.holds(parts.shard):
        return False
    _, ends = await parts.changelog.bounds()
    return await parts.changelog.replay(parts.memory.offsets(), ends, parts.memory.replay) == 0


async def _work(parts: Parts, ledger: Ledger, stop: asyncio.Event) -> None:
    flows = parts.flows(ledger, asyncio.get_running_loop().time())
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(ledger.run(), name=f"ledger {parts.shard}")
        reading = [group.create_task(eternal(flow), name=_name(flow, parts.shard)) for flow in flows.plain]
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
