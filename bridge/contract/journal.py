"""Entries of the journal as they are kept: what was attempted for a command, and how it ended.

Written and read back by `bridge.shard.journal`, read by `bridge.client.journal` for operators. The bridge's own form,
no promise to anybody else (contract.md §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.contract.replies import Reply, from_stored


@dataclass(frozen=True, slots=True)
class Attempted:
    """A call was about to be made. Unix seconds of the first: `at` by the bridge's clock, `since` by Copper's."""

    fingerprint: str
    at: float
    since: float
    position: str | None = None
    """Where the command lay at first; earlier versions did not say."""


@dataclass(frozen=True, slots=True)
class Void:
    """The attempt before it provably had no effect, and the next is to come: the id is still the command's."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A create that was answered `unknown` was seen after all; `at` is Unix seconds by the bridge's clock."""

    record_id: int
    event_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The command was answered so; `at` is Unix seconds by the bridge's clock."""

    fingerprint: str
    at: float
    reply: Reply
    settled: Settled | None = None
    """What was learned of an `unknown` one later."""


def journal_key(account: str, command_id: str) -> str:
    """The key of a command's entry."""
    return f"{account}/{command_id}"


def read_entry(entry: Mapping[str, Any]) -> Attempted | Void | Finished:
    """An entry as it was written, by this version or an older one.

    Raises:
        KeyError, ValueError: it was written by a later one.
    """
    if entry["state"] == "attempt":
        return Attempted(entry["fingerprint"], entry["at"], entry.get("since", entry["at"]), entry.get("position"))
    if entry["state"] == "void":
        return Void(entry["fingerprint"])
    settled = entry.get("settled")
    told = None if settled is None else Settled(settled["record_id"], settled["event_id"], settled["at"])
    return Finished(entry["fingerprint"], entry["at"], from_stored(entry["reply"]), told)
