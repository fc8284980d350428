"""Outcomes: how a command ended, and the run of calls that led there.

Made by `shard.attempting`, written by `shard.concluding`. Values and how they are made of Copper's answer; no I/O.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.commands import Command
from bridge.contract.events import Fate
from bridge.contract.failures import Code, Failure
from bridge.contract.replies import Reply, Status
from bridge.policy.sightings import Record
from bridge.shard.ports import Copper


@dataclass(frozen=True, slots=True)
class Seen:
    """A record that Copper's answer showed; `asked` is when the call was made, Unix seconds."""

    entity: str
    record: Record
    asked: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A record that Copper's answer showed to be no more. `certain`: it was there until this very call."""

    entity: str
    record_id: int
    certain: bool
    fate: Fate | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its answer, what Copper's answer showed, and whether the journal keeps it."""

    reply: Reply
    seen: tuple[Seen | Gone, ...] = ()
    keep: bool = True


@dataclass(slots=True)
class Run:
    """The calls made for one command so far. `protect` tells whether a stop has to wait for them."""

    command: Command
    action: Action
    copper: Copper
    protect: Callable[[bool], None]
    journaled: bool = False
    before: str | None = None
    """Content hash of the record when the attempt was journaled."""
    calls: int = 0
    copper_s: float = 0.0
    first_s: float | None = None
    asked_s: float = 0.0
    sent_at: float = 0.0
    """Loop time of the last call's beginning."""

    def timed(self, reply: Reply) -> Reply:
        """The reply with the times and the number of calls."""
        queued = None if self.first_s is None else max(0, round(self.first_s * 1000) - self.command.received_ms)
        return replace(reply, attempts=self.calls, queued_ms=queued, copper_ms=round(self.copper_s * 1000))


def succeeded(run: Run, answer: Any) -> Outcome:
    """Copper's answer, sorted into a record or records, and what it shows."""
    command = run.command
    if isinstance(answer, list):
        return Outcome(run.timed(Reply(Status.SUCCEEDED, records=answer)), keep=kept(run))
    if run.action.name == "convert":
        seen = tuple(Seen(entity, part, run.asked_s) for entity, part in answer.items() if part)
        became = {entity: part["id"] for entity, part in answer.items() if part}
        gone = Gone(command.entity, command.record_id or 0, certain=True, fate=Fate("converted", became))
        return Outcome(run.timed(Reply(Status.SUCCEEDED, record=answer)), (*seen, gone))
    return done(run, None, certain=True) if run.action.name == "delete" else done(run, answer)


def done(run: Run, record: Record | None, *, already: bool = False, certain: bool = False) -> Outcome:
    """It is so now: `record` as it is, None when it is gone. `already`: it was so before the call."""
    command = run.command
    reply = run.timed(Reply(Status.SUCCEEDED, record=record, already=already))
    if record is None:
        return Outcome(reply, (Gone(command.entity, command.record_id or 0, certain),))
    followed = run.action.effect and CATALOGUE.kinds(command.entity)
    return Outcome(reply, (Seen(command.entity, record, run.asked_s),) if followed else (), kept(run))


def expired(run: Run) -> Outcome:
    """The deadline passed first; provably nothing was done."""
    detail = "the deadline passed before the call to Copper; nothing was done"
    failure = Failure(Code.WOULD_EXPIRE, "Deadline passed", detail, retryable=True)
    return Outcome(run.timed(Reply(Status.EXPIRED, failure=failure)), keep=kept(run))


def unknown(detail: str) -> Reply:
    """It may have been done; `detail` says what to look for."""
    return Reply(Status.UNKNOWN, failure=Failure(Code.UNAVAILABLE, "Not known whether it was done", detail))


def kept(run: Run) -> bool:
    """Whether the journal keeps the answer: a read under no id of the caller's own can never be asked for again."""
    return run.action.effect or run.command.id != str(run.command.position)
