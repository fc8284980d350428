"""Refusals: whether a 401 or a 403 is about the one call or about the whole account.

Called by `bridge.copper.gate`, which asks and waits. A 403 may be about one record, and Copper says 401 to everything
once a key is revoked: what tells them apart is how the account itself is answered right afterwards (the probe).
"""

from dataclasses import dataclass
from enum import Enum, auto

from bridge.policy.sightings import Trouble, Why

OPERATOR = "operator"
REFUSALS = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Paused:
    """An account waits for credentials that work: why, as one of `REFUSALS`, and since when, Unix seconds.

    Or an operator has paused it: `OPERATOR`.
    """

    reason: str
    since: float


class About(Enum):
    """What a refusal is about."""

    CALL = auto()
    ACCOUNT = auto()
    UNTOLD = auto()
    """Copper did not answer the probe properly: it may be either."""


def about(refusal: Trouble, probe: Trouble | None) -> About:
    """What a refused call means, given how the account itself answered after it: None when it did."""
    if probe is None:
        return About.CALL
    if probe.why in REFUSALS or refusal.why is Why.UNAUTHORIZED:
        return About.ACCOUNT
    return About.UNTOLD
