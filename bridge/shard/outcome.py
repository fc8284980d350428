"""Outcomes: how a command ended, and the run of calls that led there.

Made by `shard.attempting`, written by `shard.concluding`. Values and how they are made of Copper's answer; no I/O.
"""

import math
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.commands import Command
from bridge.contract.events import Fate
from bridge.contract.failures import Code, Failure
from bridge.contract.replies import Reply, Status
from bridge.policy.settling import Doubt, Key
from bridge.policy.sightings import Lane, Record
from bridge.policy.turns import COMMAND_LANES
from bridge.shard.ports import Copper
from bridge.shard.turns import Turns

TOO_LATE = Failure(
    Code.WOULD_EXPIRE,
    "Deadline passed",
    "the deadline passed before the call to Copper; nothing was done",
    retryable=True,
)


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
    """How a command ended: its answer, what Copper's answer showed, and whether the journal keeps it.

    `doubt` is what a later sighting of the record may settle, of a create that is answered `unknown`.
    """

    reply: Reply
    seen: tuple[Seen | Gone, ...] = ()
    keep: bool = True
    doubt: Doubt | None = None


@dataclass(slots=True)
class Run:
    """The calls made for one command so far. `protect` tells whether a stop has to wait for them."""

    command: Command
    action: Action
    copper: Copper
    turns: Turns
    protect: Callable[[bool], None]
    key: Key | None = None
    """The mark that the record it creates is to carry, if its entity has a field for it."""
    journaled: bool = False
    doubted: bool = False
    """Some attempt was in doubt."""
    began_s: float = 0.0
    """When the first attempt was journaled, Unix seconds by the bridge's clock."""
    since_s: float = 0.0
    """The same by Copper's clock."""
    calls: int = 0
    copper_s: float = 0.0
    first_s: float | None = None
    asked_s: float = 0.0
    sent_at: float = 0.0
    """Loop time of the last call's beginning."""

    @property
    def lane(self) -> Lane:
        """Of every call that is made for the command alone; lists of names are fetched for all."""
        return COMMAND_LANES[self.command.lane]

    def turn(self, seconds: float = math.inf) -> AbstractAsyncContextManager[bool]:
        """A place for one call of the command."""
        return self.turns.turn(self.lane, self.command.entity, seconds)

    @property
    def sent(self) -> Command:
        """The command as it goes to Copper: with its key, where there is one; a lead then as an upsert on the key.

        Copper carries an upsert out as one, so even two that cross would make one lead (reference: copper-api.md §9.3).
        """
        command, key = self.command, self.key
        if key is None:
            return command
        fields = [*(command.data.get("custom_fields") or ()), key.custom_field]
        marked = replace(command, data={**command.data, "custom_fields": fields})
        if command.entity != "lead":
            return marked
        return replace(marked, action="upsert", match={"field": "custom", "value": key.custom_field})

    @property
    def doubt(self) -> Doubt:
        """What is to be settled."""
        return self.doubt_of(())

    def doubt_of(self, as_known: Collection[int]) -> Doubt:
        """The same, given the records that look as they did before."""
        command = self.command
        return Doubt(command.entity, command.action, command.data, self.since_s, self.key, as_known)

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
    return Outcome(run.timed(Reply(Status.EXPIRED, failure=TOO_LATE)), keep=kept(run))


def hopeless(run: Run, now: float) -> Outcome | None:
    """Its deadline comes before its turn can, even if nobody else wanted to call: why wait to say so.

    Assumes that all who come before it make one call each.
    """
    if run.command.deadline is None:
        return None
    left, ahead = run.command.deadline - now, run.turns.before(run.lane, run.command.entity)
    seconds = run.copper.soonest(ahead)
    if not seconds > left > 0.0:
        return None
    detail = (
        f"{ahead} commands of the account come first, so that its call to Copper could be made in {seconds:.1f} s at "
        f"the earliest; the deadline is in {left:.1f} s; nothing was done"
    )
    failure = replace(TOO_LATE, title="Would expire", detail=detail)
    return Outcome(run.timed(Reply(Status.EXPIRED, failure=failure)), keep=kept(run))


def undecided(run: Run, detail: str) -> Outcome:
    """It may have been done; `detail` says what to look for. A create is remembered, for its record may yet be seen."""
    failure = Failure(Code.UNAVAILABLE, "Not known whether it was done", detail)
    doubt = run.doubt if run.action.name == "create" else None
    return Outcome(run.timed(Reply(Status.UNKNOWN, failure=failure)), doubt=doubt)


def kept(run: Run) -> bool:
    """Whether the journal keeps the answer: a read under no id of the caller's own can never be asked for again."""
    return run.action.effect or run.command.id != str(run.command.position)
