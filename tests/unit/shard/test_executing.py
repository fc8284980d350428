import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.executing import Executing, Served
from bridge.telemetry.traces import Server, Tracing

NAMES = TopicNames()
TOPIC = NAMES.commands("company")


async def _lost(*_: object) -> None:
    raise SessionEnded(Ending.FENCED, "the shard is somebody else's")


def _executing() -> Executing:
    """One whose every ending finds the session over."""
    known = SimpleNamespace(cursor=lambda _key: None)
    publishing = SimpleNamespace(names=NAMES, shard=0, memory=SimpleNamespace(known=known))
    concluding = cast("Any", SimpleNamespace(publishing=publishing, refuse=_lost))
    tracing = Tracing(Server("copper.example", 443))
    return Executing(
        Served({}, 1, ()), cast("Any", None), cast("Any", None), concluding, lambda _problem: None, tracing
    )


def _nonsense(offset: int) -> Incoming:
    return Incoming(Position(TOPIC, 0, offset), None, b"{", (), 0)


async def test_commands_delivered_while_the_session_ends_are_left_to_the_next() -> None:
    executing = _executing()
    deliver = executing.sinks()[TOPIC]
    running = asyncio.create_task(executing.run(asyncio.Event()))
    await asyncio.sleep(0)
    deliver([_nonsense(0)])
    for offset in range(1, 6):
        await asyncio.sleep(0)
        deliver([_nonsense(offset)])
    with pytest.raises(ExceptionGroup):
        await running
    deliver([_nonsense(6)])
