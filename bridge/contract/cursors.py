"""Cursors as they are kept: how far each scan, each snapshot and each input topic has come.

Written and read back by `bridge.shard`, read by `bridge.client.cursors` for operators. The bridge's own form, no
promise to anybody else (contract.md §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """Where the reading of one entity of one account stands. All in Unix seconds by Copper's clock.

    `followed_since`: when the bridge began to follow, the start of the first snapshot. `lower`: the next scan's lower
    bound. `resume_at`: where the first snapshot goes on, None when it is done.
    """

    followed_since: int
    lower: int
    resume_at: int | None
    read: int = 0
    """Records that the first snapshot has read."""
    calls: int = 0
    """What it has cost."""
    incomplete: bool = False
    """Something that it has passed could not be shown to have been read."""


@dataclass(frozen=True, slots=True)
class SnapshotCursor:
    """Where a snapshot that was asked for stands: the second of creation it goes on from, and what it has cost so far.

    It is taken beside the live scans. The first snapshot of an account, which precedes them, is in `ScanCursor`.
    """

    control_id: str
    resume_at: int = 0
    read: int = 0
    """Records."""
    calls: int = 0
    incomplete: bool = False
    """Something that it has passed could not be shown to have been read."""


T = TypeVar("T", ScanCursor, SnapshotCursor)


def read_cursor(kind: type[T], kept: Mapping[str, Any]) -> T:
    """The cursor as it was written, by this version or an older one that knew fewer members."""
    return kind(**{name: kept[name] for name in kind.__dataclass_fields__ if name in kept})


def account_key(account: str) -> str:
    """The key of what its owner knows of a connected account: `contract.accounts` has its form."""
    return f"account/{account}"


def scan_key(account: str, entity: str) -> str:
    """The key of a scan's cursor."""
    return f"scan/{account}/{entity}"


def snapshot_key(account: str, entity: str) -> str:
    """The key of the cursor of a snapshot that was asked for."""
    return f"snapshot/{account}/{entity}"


def position_key(topic: str) -> str:
    """The key of an input topic's position; the partition is the shard."""
    return f"position/{topic}"


def subscriptions_key(account: str) -> str:
    """The key of what is remembered of an account's webhook subscriptions: the ids of those we made."""
    return f"subscriptions/{account}"
