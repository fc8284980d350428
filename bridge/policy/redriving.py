"""What becomes of a dead letter that somebody wants put back: its command goes back, or the letter is parked, or kept.

Called by `bridge.client.dead_letters` and the command line. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bridge.contract.announcements import Announcement, Told
from bridge.contract.commands import Malformed, decode
from bridge.contract.dead_letters import Letter, account_named, parked, redriven
from bridge.contract.records import Outgoing, Position
from bridge.contract.topics import TopicNames

PARK_AFTER = 3
"""A command that came back so often is not mended by another round."""


class State(StrEnum):
    """What has become of a letter."""

    WAITING = "waiting"
    REDRIVEN = "redriven"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Search:
    """Which letters are meant: those that agree with all that is said. Moments are Unix milliseconds."""

    position: Position | None = None
    entity: str | None = None
    code: str | None = None
    command_id: str | None = None
    key: bytes | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    parked: bool = False
    """Among the parked, not in the dead-letter topics."""

    def wants(self, letter: Letter) -> bool:
        """Whether the letter is one of them."""
        asked = (self.position, self.entity, self.code, self.command_id, self.key)
        has = (letter.position, letter.entity, letter.code, letter.command_id, letter.command.key)
        written = letter.record.timestamp_ms
        return (
            all(want is None or want == is_ for want, is_ in zip(asked, has, strict=True))
            and (self.since_ms is None or written >= self.since_ms)
            and (self.until_ms is None or written < self.until_ms)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A letter with what is written for it: its command, put back, or itself among the parked."""

    letter: Letter
    told: Told
    record: Outgoing

    def announcement(self, at_ms: int) -> Announcement:
        """What is told of it, and shows from then on that the letter does not wait any more."""
        letter = self.letter
        redrives = letter.redrives + (self.told is Told.LETTER_REDRIVEN)
        data = {"letter": str(letter.position), "error": letter.code, "redrives": redrives, "to": self.record.topic}
        return Announcement(self.told, letter.account, at_ms, letter.entity, None, data)


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that stays where it is, and why."""

    letter: Letter
    reason: str


def decide(
    letter: Letter,
    state: State,
    names: TopicNames,
    *,
    partitions: int,
    park_after: int = PARK_AFTER,
    value: bytes | None = None,
) -> Step | Kept:
    """What to do with a letter. `value` is the mended one; a letter that lies among the parked is not parked again.

    Every topic of a bridge has so many `partitions`: a letter that names another one was not written by a bridge.
    """
    if letter.command.position.partition >= partitions:
        return Kept(letter, f"it is forged: {letter.command.position.topic} has no such partition as it names")
    if state is not State.WAITING:
        return Kept(letter, f"it has been {state} already")
    if value is None and letter.redrives >= park_after and letter.position.topic != names.parked:
        return Step(letter, Told.LETTER_PARKED, parked(letter, names))
    reason = _obstacle(letter, value, names)
    return Step(letter, Told.LETTER_REDRIVEN, redriven(letter, value)) if reason is None else Kept(letter, reason)


def _obstacle(letter: Letter, value: bytes | None, names: TopicNames) -> str | None:
    if letter.truncated:
        return "the command was too large to be kept: its producer has to send it anew"
    if not redriven(letter, value).fits():
        return "the command is too large to be put back: its producer has to send it anew"
    return None if value is None else _fault(letter, value, names)


def _fault(letter: Letter, value: bytes, names: TopicNames) -> str | None:
    """Why the bridge would refuse the mended value as well. Which accounts it serves is not known here."""
    record = replace(letter.command, value=value)
    accounts = [account_named(value) or "any"]
    read = decode(record, entity=letter.entity, names=names, accounts=accounts, allowed_replies=())
    return f"the mended command is refused too: {read.failure.detail}" if isinstance(read, Malformed) else None


def states(told: Mapping[str, Told]) -> Mapping[str, State]:
    """Position of a letter, as text, to what has become of it."""
    known = {Told.LETTER_REDRIVEN: State.REDRIVEN, Told.LETTER_PARKED: State.PARKED}
    return {letter: known[what] for letter, what in told.items() if what in known}
