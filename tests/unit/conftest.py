"""Unit tests wait in virtual time: a minute's pause takes no time, and how long something took can be told exactly."""

import asyncio
import selectors
from collections.abc import Callable, Mapping

SOCKETS_SECONDS = 0.02
"""Real seconds that sockets and pipes are given, before a loop that has any takes it that nothing is coming."""

STUCK_SECONDS = 20.0
"""Real seconds after which nobody is believed to wake the loop any more."""


class VirtualSelector(selectors.DefaultSelector):
    """Waits for nothing that takes time: when nothing is ready, the clock moves on to when the loop wants to wake.

    With no such moment somebody else (a process, a thread) has to wake it, and it waits for that in earnest.
    """

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        only_itself = len(self.get_map()) == 1  # the loop's own pipe, by which threads wake it
        if timeout is None:
            return self._in_earnest()
        ready = super().select(min(timeout, 0.0 if only_itself else SOCKETS_SECONDS))
        if not ready:
            self.now += max(0.0, timeout)
        return ready

    def _in_earnest(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(STUCK_SECONDS)
        if not ready:
            raise RuntimeError(f"everything waits, and in {STUCK_SECONDS:.0f} real seconds nothing has come")
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
