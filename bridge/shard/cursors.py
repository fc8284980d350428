"""Cursors: how far each scan and each input topic has been read, as records of the cursors topic.

Read by polling, noticing and executing when a session begins, written in the transactions of what they cover.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import orjson

from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.shard.memory import View

VERSION = 1


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


def snapshot_key(account: str, entity: str) -> str:
    """The key of the cursor of a snapshot that was asked for."""
    return f"snapshot/{account}/{entity}"


def read_snapshot(view: View, account: str, entity: str) -> SnapshotCursor | None:
    """The cursor of the snapshot that is being taken, None when there is none."""
    kept = view.cursor(snapshot_key(account, entity))
    return None if kept is None else _read(SnapshotCursor, kept)


def snapshot_record(
    names: TopicNames, shard: int, account: str, entity: str, cursor: SnapshotCursor | None
) -> Outgoing:
    """The cursor as a record; None when the snapshot is complete."""
    return cursor_record(names, shard, snapshot_key(account, entity), None if cursor is None else asdict(cursor))


def scan_key(account: str, entity: str) -> str:
    """The key of a scan's cursor."""
    return f"scan/{account}/{entity}"


def position_key(topic: str) -> str:
    """The key of an input topic's position; the partition is the shard."""
    return f"position/{topic}"


def read_scan(view: View, account: str, entity: str) -> ScanCursor | None:
    """The cursor of a scan, or None when the account's entity was never read."""
    kept = view.cursor(scan_key(account, entity))
    return None if kept is None else _read(ScanCursor, kept)


def fields_key(entity: str) -> str:
    """The key of what is kept of the field policy of an entity."""
    return f"fields/{entity}"


def following_since(view: View, account: str, entity: str, asked: float) -> int:
    """Since when changes are followed. Before the first snapshot has begun that is now, when Copper was asked."""
    cursor = read_scan(view, account, entity)
    return int(asked) if cursor is None else cursor.followed_since


def scan_record(names: TopicNames, shard: int, account: str, entity: str, cursor: ScanCursor) -> Outgoing:
    """A scan's cursor as a record."""
    return cursor_record(names, shard, scan_key(account, entity), asdict(cursor))


def _read(kind: type[T], kept: Mapping[str, Any]) -> T:
    """The cursor as it was written, by this version or an older one that knew fewer members."""
    return kind(**{name: kept[name] for name in kind.__dataclass_fields__ if name in kept})


def cursor_record(names: TopicNames, shard: int, key: str, value: dict[str, Any] | None) -> Outgoing:
    """Any cursor as a record; None removes it."""
    kept = None if value is None else orjson.dumps({"v": VERSION, **value})
    return Outgoing(names.cursors, shard, key.encode(), kept)
