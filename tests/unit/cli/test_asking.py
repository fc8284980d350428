"""How long is waited for an answer, and for the end."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from bridge.cli.asking import ANSWER_SECONDS, hear
from bridge.cli.exits import Exit
from bridge.cli.hearing import Hearing
from bridge.cli.screen import Lines
from bridge.contract.announcements import Announcement, Told
from bridge.contract.control import Asked, Control

SWEEP = Control("c-1", Asked.SWEEP, "acme")
ACCEPTED, COMPLETED = (
    Announcement(told, "acme", 1, None, "c-1", {}) for told in (Told.CONTROL_ACCEPTED, Told.SWEEP_COMPLETED)
)


async def told(*after: tuple[float, Announcement]) -> AsyncGenerator[Announcement]:
    """Each after its seconds, then nothing for ever."""
    for seconds, said in after:
        await asyncio.sleep(seconds)
        yield said
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("within_s", "after", "code", "took"),
    [
        (None, [(1, ACCEPTED), (86_400, COMPLETED)], Exit.OK, 86_401),
        (60, [(1, ACCEPTED), (58, COMPLETED)], Exit.OK, 59),
        (60, [(1, ACCEPTED), (60, COMPLETED)], Exit.NO_REPLY, 60),
        (None, [(ANSWER_SECONDS + 1, ACCEPTED)], Exit.NO_REPLY, ANSWER_SECONDS),
        (3600, [], Exit.NO_REPLY, ANSWER_SECONDS),
        (2, [(3, ACCEPTED)], Exit.NO_REPLY, 2),
    ],
)
async def test_an_answer_is_waited_for_briefly_and_the_end_as_long_as_is_wanted(
    within_s: float | None, after: list[tuple[float, Announcement]], code: Exit, took: float
) -> None:
    clock = asyncio.get_running_loop().time
    began, outcome = clock(), list[str]()
    assert await hear(told(*after), SWEEP, Hearing(SWEEP), Lines(), outcome, within_s) is code
    assert clock() - began == pytest.approx(took)
    assert outcome == (["sweep.completed"] if code is Exit.OK else [])
