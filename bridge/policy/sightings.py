"""What the bridge may learn from Copper, as values: questions, pages of answers, and the ways an answer may fail.

`bridge.copper` produces these, `bridge.shard` consumes them, the pure decisions of `bridge.policy` are made on them.
Knows no HTTP and no Kafka.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Record = Mapping[str, Any]
"""A record as Copper sends it: Copper's own field names and types, unknown fields kept."""


class Via(StrEnum):
    """Which path saw a version first (`ce_via`)."""

    POLL = "poll"
    WEBHOOK = "webhook"
    DEEP = "deep"
    SWEEP = "sweep"
    SNAPSHOT = "snapshot"
    COMMAND = "command"


class Lane(StrEnum):
    """Who a call is made for; the lanes share one budget of calls per account. `COMMANDS` are the interactive ones."""

    COMMANDS = "commands"
    BULK = "bulk"
    POLLS = "polls"
    CHECKS = "checks"
    SNAPSHOTS = "snapshots"
    SWEEPS = "sweeps"


class Stamp(StrEnum):
    """The whole-second time stamp a search is ordered and bounded by."""

    MODIFIED = "date_modified"
    CREATED = "date_created"


@dataclass(frozen=True, slots=True)
class Ask:
    """One page of a search.

    `at_least` and `at_most` bound `stamp` (Unix seconds, inclusive as Copper's docs read; None = unbounded).
    `page` counts from 1, `size` is 1..200 rows.
    """

    stamp: Stamp
    descending: bool = False
    at_least: int | None = None
    at_most: int | None = None
    page: int = 1
    size: int = 200


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to an `Ask`.

    `total` is Copper's X-PW-TOTAL: an upper bound of all matches, None when absent.
    `asked_at` is the moment the question was certainly not yet evaluated before, by Copper's clock in Unix seconds:
    its Date header less the round trip, rounded down. Scans take their lower bounds from it.
    """

    records: tuple[Record, ...]
    total: int | None
    asked_at: int


class Why(StrEnum):
    """Classes of failed calls; what to do about each is `policy.outcomes`' table."""

    INVALID = "invalid"  # 400, 422: Copper says the message is wrong
    NOT_FOUND = "not-found"  # 404
    CONFLICT = "conflict"  # 409, or a 422 about a unique e-mail or domain
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    FEATURE_DISABLED = "feature-disabled"  # 403 "Feature not enabled"
    RATE_LIMITED = "rate-limited"  # 429
    NOT_SENT = "not-sent"  # DNS, connect or TLS error: provably nothing reached Copper
    IN_DOUBT = "in-doubt"  # time-out, reset or 5xx after the request was written
    UNREADABLE = "unreadable"  # a 2xx whose body is not what was promised: it was done, the answer is lost
    EXPIRED = "expired"  # the caller's deadline passed before the request was written
    PAUSED = "paused"  # the account's credentials are refused: nothing was done, and is to be asked again


@dataclass(frozen=True, slots=True)
class Trouble:
    """A call that did not succeed, as a value. Carries no CRM data beyond Copper's own words about the request.

    `detail` is Copper's message or ours, at most 300 characters; `fields` maps a field of the request to the reasons
    Copper gave; `ids` are records Copper named (an upsert that matched several).
    """

    why: Why
    detail: str
    status: int | None = None
    fields: Mapping[str, tuple[str, ...]] | None = None
    ids: tuple[int, ...] = ()
