"""Exit codes of the command line: promised to scripts, never given a second meaning."""

import asyncio
from collections.abc import Coroutine
from enum import IntEnum

import typer

from bridge.client.connecting import KafkaTrouble


class Exit(IntEnum):
    """How a command ended. 2 (usage) and 130 (interrupted) come from the command line library itself."""

    OK = 0
    FAILED = 1
    SETTINGS = 3
    COPPER = 4
    KAFKA = 5
    COMMAND = 6
    NO_REPLY = 7
    DIFFERENT = 8
    UNKNOWN = 9
    EXPIRED = 10


def exit_code(work: Coroutine[None, None, int]) -> int:
    """Do the work of a command; its exit code. That Kafka cannot be used is told, and has its own."""
    try:
        return asyncio.run(work)
    except KafkaTrouble as trouble:
        typer.echo(str(trouble), err=True)
        return Exit.KAFKA
