"""What tests of commands on their topic share: commands sent to a shard at work, their replies, their journal."""

import asyncio
from typing import Any

from tests.unit.shard.stage import NAMES, Stage

TOPIC = NAMES.commands("company")


def loop_time() -> float:
    """Seconds of virtual time."""
    return asyncio.get_running_loop().time()


async def answers(stage: Stage, *commands: dict[str, Any], count: int | None = None) -> list[Any]:
    """Send commands to a shard at work; their replies, in the order of the log."""
    async with stage.at_work(stage.executing()):
        for command in commands:
            stage.send(**command)
        await stage.until(lambda: len(stage.replied()) == (len(commands) if count is None else count))
    assert stage.unexpected == []
    return stage.replied()


def journaled(stage: Stage, command_id: str) -> list[str]:
    """What the journal was told of a command, in order."""
    return [state for name, state in stage.journal() if name == command_id]
