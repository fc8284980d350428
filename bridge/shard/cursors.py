"""Cursors: how far each scan and each input topic has been read, as records of the cursors topic.

Read by polling, noticing and executing when a session begins, written in the transactions of what they cover.
"""

from dataclasses import asdict
from typing import Any

import orjson

from bridge.contract.cursors import ScanCursor, SnapshotCursor, read_cursor, scan_key, snapshot_key
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.shard.memory import View

VERSION = 1


def read_snapshot(view: View, account: str, entity: str) -> SnapshotCursor | None:
    """The cursor of the snapshot that is being taken, None when there is none."""
    kept = view.cursor(snapshot_key(account, entity))
    return None if kept is None else read_cursor(SnapshotCursor, kept)


def snapshot_record(
    names: TopicNames, shard: int, account: str, entity: str, cursor: SnapshotCursor | None
) -> Outgoing:
    """The cursor as a record; None when the snapshot is complete."""
    return cursor_record(names, shard, snapshot_key(account, entity), None if cursor is None else asdict(cursor))


def read_scan(view: View, account: str, entity: str) -> ScanCursor | None:
    """The cursor of a scan, or None when the account's entity was never read."""
    kept = view.cursor(scan_key(account, entity))
    return None if kept is None else read_cursor(ScanCursor, kept)


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


def cursor_record(names: TopicNames, shard: int, key: str, value: dict[str, Any] | None) -> Outgoing:
    """Any cursor as a record; None removes it."""
    kept = None if value is None else orjson.dumps({"v": VERSION, **value})
    return Outgoing(names.cursors, shard, key.encode(), kept)
