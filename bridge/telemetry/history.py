"""History: what happened lately in this process, for the status page. Bounded, in memory, gone with the process.

Fed by `bridge.app.observing` and with every log line that is worth to be remembered. Holds names, counts, codes and the
ids of commands; no CRM data.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bridge.contract.commands import Command, Malformed
from bridge.contract.events import Change, Kind
from bridge.contract.failures import Code
from bridge.contract.replies import Reply
from bridge.telemetry.logs import Event

MINUTES = 60
"""How far back the counts per minute reach."""
COMMANDS = 50
"""So many commands that were answered last are kept."""
HAPPENINGS = 50
"""And so many other things that happened."""
PASSING = frozenset({Event.COMMAND_ANSWERED, Event.COMMAND_BURIED, Event.WEBHOOK_REFUSED, Event.SNAPSHOT_PROGRESS})
"""Lines that are shown elsewhere, or that a stranger could fill the list with."""


class Counted(StrEnum):
    """What is counted per minute."""

    EVENTS = "events"
    COMMANDS = "commands"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class Seen:
    """Events published about one entity: how many since the process started, and when the last was."""

    count: int
    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A command and its answer."""

    at: float
    id: str
    account: str | None
    action: str
    """Entity and action, such as `company.create`."""
    status: str
    code: str | None
    attempts: int
    duplicate: bool
    took: float | None
    """Seconds from the command's time stamp to its answer."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something else that happened: a log line."""

    at: float
    level: str
    event: str
    fields: Mapping[str, Any]


class History:
    """One per running bridge. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.events: dict[tuple[str, str], Seen] = {}
        """By account and entity."""
        self.dead_letters: Counter[str] = Counter()
        """By code, since the process started."""
        self._minutes: deque[tuple[int, Counter[Counted]]] = deque(maxlen=MINUTES)
        self._answered: deque[Answered] = deque(maxlen=COMMANDS)
        self._happenings: deque[Happening] = deque(maxlen=HAPPENINGS)

    def published(self, change: Change) -> None:
        """A change is an event; that something was there already is none."""
        if change.kind is Kind.SNAPSHOT:
            return
        which, at = (change.account, change.entity), self._clock()
        before = self.events.get(which)
        self.events[which] = Seen(1 if before is None else before.count + 1, at)
        self._count(Counted.EVENTS, at)

    def answered(self, command: Command | Malformed, reply: Reply) -> None:
        """A command got its reply."""
        at = self._clock()
        answered = Answered(
            at=at,
            id=command.id,
            account=command.account,
            action=f"{command.entity}.{command.action or 'unknown'}",
            status=reply.status.value,
            code=None if reply.failure is None else reply.failure.code.value,
            attempts=reply.attempts,
            duplicate=reply.duplicate,
            took=max(0.0, at - command.received_ms / 1000) if isinstance(command, Command) else None,
        )
        self._answered.append(answered)
        self._count(Counted.COMMANDS, at)

    def buried(self, code: Code) -> None:
        """A dead letter was written."""
        self.dead_letters[code.value] += 1

    def called(self) -> None:
        """A call to Copper ended."""
        self._count(Counted.CALLS, self._clock())

    def happened(self, level: str, event: Event, fields: Mapping[str, Any]) -> None:
        """A line was logged."""
        if event not in PASSING:
            self._happenings.append(Happening(self._clock(), level, event.value, fields))

    def shown(self) -> dict[str, Any]:
        """All but the events by entity, ready for JSON: the minutes in their order, the rest newest first."""
        return {
            "minutes": self._hour(int(self._clock() // 60)),
            "commands": [asdict(each) for each in reversed(self._answered)],
            "happenings": [asdict(each) for each in reversed([*self._happenings])],  # a library's thread may log now
            "dead_letters": dict(self.dead_letters),
        }

    def _hour(self, last: int) -> list[dict[str, int]]:
        """The counts of every minute up to `last`, which is not over."""
        counts, minutes = dict(self._minutes), range(last - MINUTES + 1, last + 1)
        return [
            {"at": each * 60, **{what.value: counts.get(each, Counter())[what] for what in Counted}} for each in minutes
        ]

    def _count(self, what: Counted, at: float) -> None:
        minute = int(at // 60)
        if not self._minutes or self._minutes[-1][0] < minute:
            self._minutes.append((minute, Counter()))
        self._minutes[-1][1][what] += 1
