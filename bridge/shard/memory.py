"""Memory: what a shard knows. The last record of every id, the cursors, the journal, in one SQLite file.

Kafka is the truth, this file is a cache of the shard's changelog partitions: it is filled by replaying them and kept in
step by the ledger, record by record the same way, with the changelogs' next offsets in the same SQLite transaction. So
a restart replays the tail only; a file that is damaged, foreign, or out of the log's bounds is thrown away and rebuilt.

Two connections to one file: flows read what is committed (`known`, ...), writers inside a ledger transaction read what
is drafted too (`drafted`). Knows record keys and headers, no Kafka client.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.contract.records import Headers, Incoming, Outgoing

FORMAT = 3
MARK = "copper-bridge-mark"
"""Header of a journal record: what its entry can be found by, beside its key."""
SCHEMA = """
CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE changelog (topic TEXT PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE state (
    entity TEXT NOT NULL, key TEXT NOT NULL, value BLOB, modified INTEGER NOT NULL, hash TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (entity, key)
);
CREATE INDEX state_modified ON state (entity, modified);
CREATE TABLE cursor (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE journal (key TEXT PRIMARY KEY, value BLOB NOT NULL, at REAL NOT NULL, mark TEXT);
CREATE INDEX journal_mark ON journal (mark) WHERE mark IS NOT NULL;
CREATE INDEX journal_age ON journal (at);
"""

_SHARED = ("position/", "fields/")
"""Kinds of cursors that are no account's."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as last seen, or the trace of a deleted one (`value` None).

    `hash` is the content hash's first 16 hex digits; `at` is when it was learned, Unix seconds.
    """

    value: bytes | None
    modified: int
    hash: str
    at: float

    def record(self) -> dict[str, Any] | None:
        """The record itself, decoded; None when it is deleted."""
        return None if self.value is None else orjson.loads(self.value)


class View:
    """What can be asked. One of these sees committed state, another what is drafted as well."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def record(self, entity: str, key: str) -> Kept | None:
        """The record under `<account>/<id>` as last seen, or None when it was never seen."""
        row = self._connection.execute(
            "SELECT value, modified, hash, at FROM state WHERE entity = ? AND key = ?", (entity, key)
        ).fetchone()
        return None if row is None else Kept(*row)

    def cursor(self, key: str) -> Any | None:
        """A cursor's decoded value."""
        row = self._connection.execute("SELECT value FROM cursor WHERE key = ?", (key,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def journal(self, key: str) -> Any | None:
        """The journal's decoded entry for `<account>/<command id>`."""
        row = self._connection.execute("SELECT value FROM journal WHERE key = ?", (key,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def marked(self, mark: str) -> list[tuple[str, Any]]:
        """Keys and decoded entries of the journal that carry the mark, oldest first."""
        rows = self._connection.execute("SELECT key, value FROM journal WHERE mark = ? ORDER BY at, key", (mark,))
        return [(key, orjson.loads(value)) for key, value in rows]

    def living(self, entity: str, account: str, *, after: str, learned_by: float, limit: int) -> list[str]:
        """Keys of an account's living records in the order of keys, those last learned of up to a moment only."""
        rows = self._connection.execute(
            "SELECT key FROM state WHERE entity = ? AND key > ? AND key < ? AND value IS NOT NULL AND at <= ? "
            "ORDER BY key LIMIT ?",
            (entity, after or f"{account}/", f"{account}0", learned_by, limit),  # "0" follows "/"
        )
        return [key for (key,) in rows]

    def records_of(self, entity: str, account: str, limit: int) -> list[str]:
        """Keys of an account's records, traces of deleted ones too."""
        rows = self._connection.execute(
            "SELECT key FROM state WHERE entity = ? AND key > ? AND key < ? LIMIT ?",
            (entity, f"{account}/", f"{account}0", limit),
        )
        return [key for (key,) in rows]

    def cursors_of(self, account: str) -> list[str]:
        """Keys of an account's cursors: `<kind>/<account>`, and perhaps more behind it."""
        rows = self._connection.execute("SELECT key FROM cursor")
        return [key for (key,) in rows if key.split("/")[1:2] == [account] and not key.startswith(_SHARED)]

    def modified_since(self, entity: str, account: str, since: int) -> Iterator[dict[str, Any]]:
        """An account's living records that Copper stamped at or after that second."""
        rows = self._connection.execute(
            "SELECT value FROM state WHERE entity = ? AND modified >= ? AND key > ? AND key < ? AND value IS NOT NULL",
            (entity, since, f"{account}/", f"{account}0"),
        )
        return (orjson.loads(value) for (value,) in rows)

    def count_since(self, entity: str, account: str, since: int) -> int:
        """How many they are."""
        row = self._connection.execute(
            "SELECT count(*) FROM state WHERE entity = ? AND modified >= ? AND key > ? AND key < ? "
            "AND value IS NOT NULL",
            (entity, since, f"{account}/", f"{account}0"),
        ).fetchone()
        return int(row[0])

    def count(self, entity: str) -> int:
        """How many living records of an entity are known."""
        row = self._connection.execute(
            "SELECT count(*) FROM state WHERE entity = ? AND value IS NOT NULL", (entity,)
        ).fetchone()
        return int(row[0])


class Memory:
    """The open file of one shard. Satisfies the ledger's `Book`."""

    def __init__(
        self, path: Path, identity: Mapping[str, str], topics: Mapping[str, tuple[str, str]], clock: Callable[[], float]
    ) -> None:
        """`identity` is what the file must have been made for (cluster, instance, prefix, shard, partitions).

        `topics` maps each changelog topic to its table and entity: ("state", "company"), ("cursor", ""), ("journal",
        ""). `clock` gives Unix seconds, for the age of journal entries that carry no time of their own.
        """
        self._path = path
        self._topics = topics
        self._clock = clock
        self._identity = {"format": str(FORMAT), **identity}
        self._writer = self._open()
        self._reader = _connect(path)
        self.known = View(self._reader)
        self.drafted = View(self._writer)

    def close(self) -> None:
        """Close the file; what was kept stays."""
        for connection in (self._reader, self._writer):
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def offsets(self) -> dict[str, int]:
        """The next offset of every changelog topic that has been replayed."""
        return dict(self._writer.execute("SELECT topic, next FROM changelog"))

    def saved_at(self) -> float | None:
        """When the file was last kept in step, Unix seconds; None when it is new."""
        row = self._writer.execute("SELECT value FROM identity WHERE name = 'saved_at'").fetchone()
        return None if row is None else float(row[0])

    def discard(self) -> None:
        """Throw everything away: the caller found that the file does not fit the log."""
        self.close()
        _remove(self._path)
        self._writer = self._open()
        self._reader = _connect(self._path)
        self.known = View(self._reader)
        self.drafted = View(self._writer)

    def replay(self, records: Sequence[Incoming], ends: Mapping[str, int]) -> None:
        """Take committed records of the changelogs, as restored, with the offsets to go on from."""
        self.begin()
        for record in records:
            self._learn(record.position.topic, record.key, record.value, record.headers, record.timestamp_ms / 1000)
        self.keep(ends)

    def begin(self) -> None:
        """Open the working state."""
        self._writer.execute("BEGIN IMMEDIATE")

    def mark(self) -> None:
        """Remember the working state before one writer."""
        self._writer.execute("SAVEPOINT writer")

    def undo(self) -> None:
        """Back to the mark."""
        self._writer.execute("ROLLBACK TO writer")

    def learn(self, record: Outgoing) -> None:
        """Take a drafted record into the working state."""
        if record.topic in self._topics:
            self._learn(record.topic, record.key, record.value, record.headers, self._clock())

    def keep(self, ends: Mapping[str, int]) -> None:
        """Make the working state the known one."""
        self._writer.executemany(
            "INSERT INTO changelog VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
            [(topic, end) for topic, end in ends.items() if topic in self._topics],
        )
        self._writer.execute("INSERT OR REPLACE INTO identity VALUES ('saved_at', ?)", (str(self._clock()),))
        self._writer.execute("COMMIT")

    def forget(self) -> None:
        """Drop the working state."""
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def prune(self, journal_seconds: float, tombstone_seconds: float) -> None:
        """Drop journal entries and traces of deleted records older than that, as the topics' retention does."""
        now = self._clock()
        with _transaction(self._writer):
            self._writer.execute("DELETE FROM journal WHERE at < ?", (now - journal_seconds,))
            self._writer.execute("DELETE FROM state WHERE value IS NULL AND at < ?", (now - tombstone_seconds,))

    def _learn(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, at: float) -> None:
        table, entity = self._topics[topic]
        if key is None:
            return
        name = key.decode()
        if table == "state" and value is None and not headers:
            # A delete bears its event's headers; without any, the record is to be as if it had never been seen.
            self._writer.execute("DELETE FROM state WHERE entity = ? AND key = ?", (entity, name))
        elif table == "state":
            modified, content_hash = _version(headers)
            self._writer.execute(
                "INSERT INTO state VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "value = excluded.value, modified = excluded.modified, hash = excluded.hash, at = excluded.at",
                (entity, name, value, modified, content_hash, at),
            )
        elif value is None:
            self._writer.execute(f"DELETE FROM {table} WHERE key = ?", (name,))  # noqa: S608 - one of two literals
        elif table == "cursor":
            self._writer.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, value))
        else:
            mark = next((raw.decode() for header, raw in headers if header == MARK), None)
            self._writer.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?)", (name, value, at, mark))

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(sqlite3.DatabaseError):
            connection = _connect(self._path)
            if self._fits(connection):
                return connection
            connection.close()
        _remove(self._path)
        connection = _connect(self._path)
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO identity VALUES (?, ?)", list(self._identity.items()))
        return connection

    def _fits(self, connection: sqlite3.Connection) -> bool:
        try:
            there = dict(connection.execute("SELECT name, value FROM identity"))
        except sqlite3.DatabaseError:
            connection.close()
            return False
        return there.items() >= self._identity.items()


def _version(headers: Headers) -> tuple[int, str]:
    """date_modified and content hash out of `ce_id` = `<entity>:<id>:<date_modified>:<hash>:<kind>`."""
    event_id = next((value for name, value in headers if name == "ce_id"), b"").decode(errors="replace").split(":")
    if len(event_id) != 5 or not event_id[2].lstrip("-").isdigit():  # noqa: PLR2004 - the five parts above
        return 0, ""
    return int(event_id[2]), event_id[3]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -8000")
    return connection


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
