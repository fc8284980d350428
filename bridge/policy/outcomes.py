"""What to do about a call that did not succeed: the outcome table of the contract, as data.

Called by `shard.attempting` with the `Trouble` of a command's call. Knows no time and no I/O; the jitter is an input.
"""

from dataclasses import dataclass
from types import MappingProxyType

from bridge.contract.failures import Code, Failure
from bridge.policy.sightings import Trouble, Why

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MOST_SENDS = 5
"""Calls for a write that Copper answers with errors although, each time, it turns out not to have been carried out."""
MOST_READS = 10
"""Calls for a read that Copper does not answer properly (5xx, time-out, not JSON); about four minutes of them."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Copper did not do it and the bridge will not try again."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Succeed:
    """It was already so: deleting what is gone."""


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline passed before the call."""


@dataclass(frozen=True, slots=True)
class WaitAndRetry:
    """Provably nothing was done, and the fault is the world's: try again after so many seconds, inside the deadline."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Settle:
    """It may have been done: find out before anything else is sent."""


Decision = Fail | Succeed | Expire | WaitAndRetry | Settle

_FAILS = MappingProxyType(
    {
        Why.INVALID: (Code.INVALID, "Copper refuses the request", False),
        Why.NOT_FOUND: (Code.NOT_FOUND, "No such record", False),
        Why.CONFLICT: (Code.CONFLICT, "In conflict with what is there", False),
        Why.FEATURE_DISABLED: (Code.FEATURE_DISABLED, "Switched off in this Copper account", False),
        Why.FORBIDDEN: (Code.FORBIDDEN, "Not allowed to the bridge's Copper user", False),
        Why.IN_DOUBT: (Code.UNAVAILABLE, "Copper does not answer this request", True),
        Why.UNREADABLE: (Code.UNAVAILABLE, "Copper's answer cannot be read", True),
    }
)
_WAITS = frozenset({Why.RATE_LIMITED, Why.NOT_SENT, Why.UNAUTHORIZED})
_DOUBTS = frozenset({Why.IN_DOUBT, Why.UNREADABLE})


def decide(
    *, action: str, effect: bool, trouble: Trouble, failures: int, jitter: float, doubted: bool = False
) -> Decision:
    """What a command's trouble means.

    `failures` counts the troubled calls before this one; `jitter` in [0, 1) spreads the retries. `doubted`: an earlier
    attempt was in doubt, so the twin that a create is refused for may be its own. Trouble that the world is to blame
    for (429, 401, no connection) waits without limit: a command ends by its deadline, not by our impatience. A read
    that Copper fails to answer itself is given up: there are requests it never answers but by 500.
    """
    if trouble.why is Why.EXPIRED:
        return Expire()
    if trouble.why is Why.NOT_FOUND and action == "delete":
        return Succeed()
    if trouble.why is Why.PAUSED:
        return WaitAndRetry(0.0)  # it waits at the account's gate
    twin = trouble.why is Why.CONFLICT and action == "create" and doubted
    if trouble.why in _DOUBTS or twin:
        return Settle() if effect else _read_again(trouble, failures, jitter)
    if trouble.why in _WAITS:
        return WaitAndRetry(pause(failures, jitter))
    return Fail(failure_of(trouble))


def _read_again(trouble: Trouble, failures: int, jitter: float) -> Decision:
    if failures + 1 >= MOST_READS:
        return Fail(failure_of(trouble))
    return WaitAndRetry(pause(failures, jitter))


def failure_of(trouble: Trouble) -> Failure:
    """Copper's refusal in the contract's words."""
    code, title, retryable = _FAILS[trouble.why]
    detail = trouble.detail
    if trouble.ids:
        detail = f"{detail} (records {', '.join(map(str, trouble.ids))})"
    return Failure(code, title, detail, trouble.fields, trouble.status, retryable)


def backoff(failures: int, longest: float) -> float:
    """Seconds before the next try after so many failures in a row: 2, 4, 8, ... without end, never longer than that."""
    return min(longest, 2.0 ** min(failures, 10))


def pause(failures: int, jitter: float) -> float:
    """Seconds before the next try: doubling from one second to a minute, spread over its upper half."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10))
    return longest * (0.5 + jitter / 2)
