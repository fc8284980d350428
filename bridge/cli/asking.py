"""`snapshot`, `sweep`, `deletes approve|reject`, `cursor set`: ask a bridge through Kafka and wait for what it tells.

The outcome goes to standard output, everything on the way to standard error.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from uuid import uuid4

import typer
from rich.console import Console

from bridge.cli.arguments import followed, seconds
from bridge.cli.exits import Exit, exit_code
from bridge.cli.hearing import Hearing
from bridge.cli.lines import of_announcement
from bridge.cli.reaching import Where
from bridge.cli.screen import Screen, screen
from bridge.client.notifications import ask
from bridge.contract.announcements import Announcement
from bridge.contract.control import Asked, Control

ANSWER_SECONDS = 30.0
"""A bridge that runs answers within a second; one that starts, within some."""


def ask_for(
    where: Where,
    asked: Asked,
    account: str,
    entity: str | None = None,
    *,
    to: int | None = None,
    timeout: str | None = None,
    wait: bool = True,
) -> int:
    """Ask and wait for the end, or with `wait` False for the acceptance; the exit code."""
    if entity is not None:
        followed(entity)
    within_s = None if timeout is None else seconds(timeout)
    control = Control(str(uuid4()), asked, account, entity, to)
    outcome: list[str] = [] if wait else [control.id]
    told = ask(where.kafka, where.names, control)
    with screen(Console(stderr=True)) as shown:
        code = exit_code(hear(told, control, Hearing(control, wait=wait), shown, outcome, within_s))
    if code == Exit.OK:
        typer.echo("\n".join(outcome))
    return code


async def hear(
    told: AsyncGenerator[Announcement],
    control: Control,
    hearing: Hearing,
    shown: Screen,
    outcome: list[str],
    within_s: float | None,
) -> Exit:
    """Until it is over, or nobody answers, or it takes longer than `within_s`; `outcome` collects what came of it.

    `told` is what is told of the control message.
    """
    began, answered = asyncio.get_running_loop().time(), False
    answer_s = ANSWER_SECONDS if within_s is None else min(within_s, ANSWER_SECONDS)
    try:
        async with asyncio.timeout(answer_s) as limit, contextlib.aclosing(told):
            async for said in told:
                answered = True
                limit.reschedule(None if within_s is None else began + within_s)
                shown.show(said)
                if hearing.ends(said):
                    outcome.append(of_announcement(said))
                if (code := hearing.hear(said)) is not None:
                    return code
    except TimeoutError:
        typer.echo(_late(control) if answered else _unanswered(control, answer_s), err=True)
    return Exit.NO_REPLY


def _unanswered(control: Control, answer_s: float) -> str:
    return (
        f"no answer in {answer_s:g} s: does a bridge that serves {control.account} run on this Kafka? "
        f"It will carry out {control.asked} {control.id} when it comes"
    )


def _late(control: Control) -> str:
    return f"not over in time; {control.asked} {control.id} goes on"
