"""How an entity of an account does, in one word: decided from when it was last scanned and what stands in the way.

Called by `bridge.app.status`, whose words the status page and the command line show. Pure; times are Unix seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bridge.policy.sightings import Why


class State(StrEnum):
    """From what matters least to the worst."""

    PAUSED = "paused"
    """Switched off in the settings, or by an operator: nobody waits for it."""
    LEAVING = "leaving"
    """An operator has disconnected its account."""
    ON_TIME = "on-time"
    PENDING = "pending"
    """Nothing is known yet: the first snapshot or scan is still to end."""
    DELAYED = "delayed"
    """More than one scan was missed."""
    ERROR = "error"
    """More than two were."""
    ACTION_REQUIRED = "action-required"
    """It will not get well by itself: somebody has to act."""


NEEDS_SOMEBODY = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN, Why.FEATURE_DISABLED})
"""Troubles that no further try ends."""
_SEVERITY = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known of an entity."""

    every: float | None
    """Seconds from one scan to the next; None: it is switched off."""
    since: float
    """Since when scans are due: when this process was given the account."""
    scanned_at: float | None
    """When a scan last ended well."""
    trouble: str | None
    """A `Why`: what stopped the last scan or snapshot, while it is not over."""
    held: bool = False
    """The account waits for somebody, its credentials for instance."""


def state(followed: Followed, now: float) -> State:
    """The word for an entity."""
    if followed.every is None:
        return State.PAUSED
    if followed.held or followed.trouble in NEEDS_SOMEBODY:
        return State.ACTION_REQUIRED
    if followed.scanned_at is None and followed.trouble is None:
        return State.PENDING
    due = max(followed.since, followed.scanned_at or 0.0) + followed.every
    missed = (now - due) / followed.every
    if missed > 2:  # noqa: PLR2004 - the state's own words
        return State.ERROR
    if missed > 1:
        return State.DELAYED
    return State.PENDING if followed.scanned_at is None else State.ON_TIME


def severity(word: State) -> int:
    """The greater, the worse."""
    return _SEVERITY[word]


def worst(words: Iterable[State]) -> State:
    """The word for a whole of such parts; nothing at all is on time."""
    return max(words, key=severity, default=State.ON_TIME)
