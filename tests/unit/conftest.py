"""Unit tests wait in virtual time: a minute's pause takes no time, and how long something took can be told exactly."""

import asyncio
import selectors
from collections.abc import Callable, Mapping

SOCKETS_SECONDS = 0.02
"""Real seconds that sockets and pipes are given, before a loop that has any takes it that nothing is coming."""


class VirtualSelector(selectors.DefaultSelector):
    """Waits for nothing that takes time: when nothing is ready, the clock moves on to when the loop wants to wake.

    With no such moment somebody else (a process, a thread) has to wake it, and it waits for that in earnest.
    """

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        only_itself = len(self.get_map()) == 1  # the loop's own pipe, by which threads wake it
        ready = super().select(timeout if timeout is None else min(timeout, 0.0 if only_itself else SOCKETS_SECONDS))
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop by that clock."""

    def __init__(self) -> None:
        self.selector = VirtualSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of every test below this folder."""
    return {"virtual": VirtualLoop}
