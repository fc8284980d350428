"""Lives of a shard, and a test's run ended at every moment of one: what the tests of crashes share."""

import asyncio
from collections.abc import Awaitable, Callable

from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.parts import Flows
from bridge.shard.session import own
from tests.unit.shard.endings import Manner
from tests.unit.shard.stage import Stage

AFTERWARDS = 60.0

Broken = Callable[[int | None, Manner], Awaitable[tuple[list[str], list[str]]]]
"""One run, ended at the nth moment in that manner or not at all: what is not as promised, and the moments passed."""


async def live(stage: Stage, flows: Callable[[], Flows], done: Callable[[], bool], *, within: float) -> list[str]:
    """Hold sessions until it is done and for a while after that, or until the process is killed.

    Gives the moments that were passed until it was done.
    """
    stop = asyncio.Event()
    stage.copper.cut_off = lambda: stage.ledger.fail(SessionEnded(Ending.IN_DOUBT, "a call was cut off"))
    owning = asyncio.create_task(own(stage.parts(lambda _ledger, _fenced_at: flows()), stop))
    await stage.until(lambda: stage.endings.dead or done(), within)
    moments = list(stage.endings.passed)
    if stage.endings.dead:
        owning.cancel()
    else:
        await asyncio.sleep(AFTERWARDS)
        stop.set()
    await asyncio.wait([owning])
    stage.memory.close()
    return moments


async def ended_everywhere(broken: Broken) -> list[str]:
    """What is not as promised, of all runs together: undisturbed, then ended at each moment in each manner."""
    wrong, moments = await broken(None, Manner.SESSION)
    assert wrong == []
    runs = 0
    for nth, moment in enumerate(moments):
        for manner in Manner:
            runs += 1
            found, _ = await broken(nth, manner)
            wrong += [f"{moment} ({nth}), {manner}: {each}" for each in found]
    print(f"{len(moments)} moments, {runs} endings, {len(wrong)} violations")
    return wrong
