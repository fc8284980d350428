"""Copper's rolling limits and the log of every call, with its figure: the most calls in any minute.

Asked by `server` for every call. Pure: the moment is given.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Window:
    """Calls let through in a rolling span of `seconds`."""

    seconds: float
    _passed: deque[float] = field(default_factory=deque)

    def admit(self, now: float, most: int | None) -> bool:
        """Whether one more call fits; if so it is counted."""
        while self._passed and self._passed[0] <= now - self.seconds:
            self._passed.popleft()
        if most is not None and len(self._passed) >= most:
            return False
        self._passed.append(now)
        return True


@dataclass(slots=True)
class Call:
    """One call as the double saw it.

    `template` is the path with ids left out; `status` is None while unanswered and for ever when the connection was cut
    or left hanging; `answered` is when its whole answer was handed to a connection that was still open, None when that
    was not so; `effects` are the numbers of the effects it had, which may come after the answer; `fault` names the
    fault that was played.
    """

    number: int
    at: float
    account: str | None
    method: str
    path: str
    template: str
    status: int | None = None
    effects: tuple[int, ...] = ()
    fault: str | None = None
    answered: float | None = None

    @property
    def applied(self) -> bool:
        """Whether it changed anything."""
        return bool(self.effects)


def most_in_any(span: float, moments: Iterable[float]) -> int:
    """The largest number of moments within any `span` seconds, the span's end excluded."""
    held: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        held.append(moment)
        while held[0] <= moment - span:
            held.popleft()
        most = max(most, len(held))
    return most
