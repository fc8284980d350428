"""Moments at which the world may end, numbered, so that a test can end it at each of them in turn."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from bridge.policy.sessions import Ending, SessionEnded


class Manner(StrEnum):
    """How it ends. A kill leaves the memory's file behind, or not: then another machine goes on."""

    SESSION = "the session ends"
    KILL = "the process is killed"
    LOSS = "the process is killed and its disk is lost"


class Pulse:
    """Tells those who wait for a fact that something has happened."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def beat(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()

    async def until(self, fact: Callable[[], object], within: float = 100_000.0) -> None:
        """Wait for it; TimeoutError when it does not come about in so many (virtual) seconds."""
        async with asyncio.timeout(within):
            while not fact():
                turn = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
                await turn


class Endings:
    """Counts the moments that are passed, and ends the world at the nth: never, if there is none."""

    def __init__(self, pulse: Pulse, nth: int | None = None, manner: Manner = Manner.SESSION) -> None:
        self.passed: list[str] = []
        self.dead = False
        """The process is: nothing it does has any effect."""
        self.manner = manner
        self._nth = nth
        self._pulse = pulse

    def due(self, moment: str) -> bool:
        """Whether the world ends now. It does once."""
        self.passed.append(moment)
        if len(self.passed) - 1 != self._nth:
            return False
        self.dead = self.manner is not Manner.SESSION
        self._pulse.beat()
        return True

    async def here(self, moment: str) -> None:
        """End here, if it is time."""
        if self.due(moment):
            if self.dead:
                await asyncio.Event().wait()
            raise SessionEnded(Ending.IN_DOUBT, moment)
