"""Sweeps: which known records to ask Copper for, what their absence means, and when to hold back and ask an operator.

A sweep asks for every known id of an account, 200 a call. An id that search does not show is a suspect only: after the
index lag it is asked for by itself, and only a 404 makes it a delete. A narrowed API user looks like a mass delete, so
a sweep that misses too much, or whose viewer is another than the last one's, holds all deletes of the account until
somebody decides. One call that fails for good voids the sweep: nothing can be concluded from a part.

Called by `bridge.shard.sweeping`, which does the asking, and by `bridge.shard.controlling` for an operator's decisions.
Pure; times are Unix seconds by the bridge's clock. The state is kept as a cursor, so a sweep goes on after a restart.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

FEW = 10
"""So many missing records of one entity are never held back for their share alone: small accounts delete too."""


@dataclass(frozen=True, slots=True)
class Brake:
    """More missing records than these in one sweep are held back."""

    most: int
    """Of an account."""
    percent: float
    """Of the records of one entity."""


class Reason(StrEnum):
    """Why deletes are held back."""

    TOO_MANY = "too-many"
    USER_CHANGED = "user-changed"
    """The credentials belong to another user than before, or the user's teams or the team permissions have changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """The account's deletes are held back. `missing` of `known` records were not found; both 0 for a changed user."""

    reason: Reason
    missing: int
    known: int
    since: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep under way."""

    control_id: str | None = None
    """The control message that asked for it, if one did."""
    only: str | None = None
    """The one entity it is about; None: all."""
    entity: str | None = None
    """The entity that is being asked for; None: all have been."""
    after: str = ""
    """The last key of it that was asked for."""
    asked: Mapping[str, int] = field(default_factory=dict)
    """Entity to the number of ids asked for."""
    missing: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Entity to the ids that search did not show."""
    asked_at: float = 0.0
    """When the last question was answered."""
    approved: bool = False
    """An operator has seen the numbers and wants the deletes published."""
    deleted: int = 0
    kept: int = 0
    """Missing in the search, but there when asked for by id."""

    @property
    def suspects(self) -> int:
        """How many ids search did not show."""
        return sum(map(len, self.missing.values()))


@dataclass(frozen=True, slots=True)
class SweepState:
    """What is kept of an account's sweeps."""

    viewer: str | None = None
    """Who asked in the last sweep, as a digest of user, teams and permissions; None: nobody yet."""
    finished_at: float | None = None
    """When the last sweep of everything ended."""
    sweep: Sweep | None = None
    held: Held | None = None

    @classmethod
    def decode(cls, kept: Mapping[str, Any] | None) -> "SweepState":
        """From what `dataclasses.asdict` made of one; None is an account never swept."""
        if kept is None:
            return cls()
        sweep, held = kept["sweep"], kept["held"]
        if sweep is not None:
            sweep = Sweep(**{**sweep, "missing": {name: tuple(ids) for name, ids in sweep["missing"].items()}})
        if held is not None:
            held = Held(**{**held, "reason": Reason(held["reason"])})
        return cls(kept["viewer"], kept["finished_at"], sweep, held)


def due_at(state: SweepState, *, every: float, now: float) -> float:
    """When the next sweep is to begin; an account never swept has nothing to miss yet."""
    return now if state.sweep is not None else (state.finished_at or now) + every


def begun(
    state: SweepState, entities: Sequence[str], *, control_id: str | None = None, only: str | None = None
) -> SweepState:
    """A new sweep, of all `entities` or of one."""
    return replace(state, sweep=Sweep(control_id=control_id, only=only, entity=only or next(iter(entities), None)))


def answered(sweep: Sweep, ids: Sequence[int], found: Collection[int], *, after: str, now: float) -> Sweep:
    """Copper showed `found` when it was asked for `ids` of the sweep's entity; `after` is the last one's key."""
    entity = sweep.entity or ""
    missing = tuple(each for each in ids if each not in found)
    return replace(
        sweep,
        after=after,
        asked_at=now,
        asked={**sweep.asked, entity: sweep.asked.get(entity, 0) + len(ids)},
        missing={**sweep.missing, entity: sweep.missing.get(entity, ()) + missing} if missing else sweep.missing,
    )


def advanced(sweep: Sweep, entities: Sequence[str]) -> Sweep:
    """The sweep's entity has no further ids: on to the next, if it is about all."""
    following = () if sweep.only or sweep.entity not in entities else entities[entities.index(sweep.entity) + 1 :]
    return replace(sweep, entity=next(iter(following), None), after="")


def judge(sweep: Sweep, brake: Brake, *, now: float) -> Held | None:
    """Whether a sweep that has asked for everything missed too much to be believed."""
    shares = {entity: len(ids) * 100 / sweep.asked[entity] for entity, ids in sweep.missing.items() if len(ids) > FEW}
    if sweep.approved or (sweep.suspects <= brake.most and all(share <= brake.percent for share in shares.values())):
        return None
    return Held(Reason.TOO_MANY, sweep.suspects, sum(sweep.asked.values()), now)


def settled(sweep: Sweep, entity: str, ids: Collection[int], *, deleted: int) -> Sweep:
    """These suspects have been asked for by id; so many of them are deletes."""
    left = {
        name: tuple(each for each in suspects if name != entity or each not in ids)
        for name, suspects in sweep.missing.items()
    }
    return replace(
        sweep,
        missing={name: suspects for name, suspects in left.items() if suspects},
        deleted=sweep.deleted + deleted,
        kept=sweep.kept + len(ids) - deleted,
    )


def finished(state: SweepState, *, now: float) -> SweepState:
    """The sweep has ended well."""
    partial = state.sweep is not None and state.sweep.only is not None
    return replace(state, sweep=None, held=None, finished_at=state.finished_at if partial else now)


def voided(state: SweepState) -> SweepState:
    """Nothing can be concluded from the sweep; it is begun again."""
    return replace(state, sweep=None)


def viewed_by(state: SweepState, viewer: str, *, now: float) -> SweepState:
    """The state, held if the viewer is another than the last sweep's, else with the viewer remembered."""
    if state.viewer is not None and state.viewer != viewer:
        return replace(state, sweep=None, held=Held(Reason.USER_CHANGED, 0, 0, now))
    return replace(state, viewer=viewer)


def approved(state: SweepState, entities: Sequence[str], *, control_id: str) -> SweepState:
    """An operator says: the deletes are real; or: the new user is the right one."""
    if state.held is not None and state.held.reason is Reason.USER_CHANGED:
        return begun(replace(state, viewer=None, held=None), entities, control_id=control_id)
    sweep = None if state.sweep is None else replace(state.sweep, approved=True, control_id=control_id)
    return replace(state, held=None, sweep=sweep)


def rejected(state: SweepState, entities: Sequence[str], *, control_id: str) -> SweepState:
    """An operator says: nothing was deleted. What was missed is forgotten, and looked for again."""
    return begun(replace(state, held=None), entities, control_id=control_id)
