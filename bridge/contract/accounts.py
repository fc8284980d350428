"""Accounts that connected themselves by OAuth, as records of the compacted topic `copper.bridge.accounts`.

Two keys an account: its name, for what it is, written by the shard that owns it; its name and `/pending`, for a consent
that was asked for and has not come back, written by whoever was asked. Every replica reads all from the beginning; the
last record of a key holds. Tokens are in them as ciphertext only: who seals and opens them is no business of this
module.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract.records import Incoming, Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

_PENDING = "/pending"


class Standing(StrEnum):
    """What is done for an account."""

    CONNECTED = "connected"
    """Everything."""
    PAUSED = "paused"
    """Nothing is asked of Copper until an operator resumes it; its commands wait until their deadlines."""
    LEAVING = "leaving"
    """Its owner removes its webhooks and, if asked, its state; then the record goes."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a consent brought, as ciphertext."""

    token: str = field(repr=False)
    secret: str = field(repr=False)
    """What the account's webhooks carry is derived from this: it stays when a new token comes."""


@dataclass(frozen=True, slots=True)
class Connected:
    """An account with a token. Times are Unix milliseconds."""

    account: str
    sealed: Sealed
    standing: Standing
    since_ms: int
    """When it was first connected."""
    standing_ms: int
    """Since when it stands as it does."""
    forget: bool = False
    """Of one that leaves: publish tombstones for all its records."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A consent that was asked for: its `state` comes back once, or never."""

    account: str
    digest: str
    """SHA-256 of the state in hex: whoever reads the topic cannot answer in the customer's place."""
    expires: float
    """Unix seconds."""


Entry = Connected | Pending


def entry_record(entry: Entry, names: TopicNames, partitions: int) -> Outgoing:
    """The record that says so."""
    pending = isinstance(entry, Pending)
    return _record(entry.account, pending, orjson.dumps(entry_value(entry)), names, partitions)


def forgotten(account: str, names: TopicNames, partitions: int, *, pending: bool) -> Outgoing:
    """The record that removes an account, or what is pending of it."""
    return _record(account, pending, None, names, partitions)


def entry_value(entry: Entry) -> dict[str, Any]:
    """An entry without its account, as it is written."""
    return {name: member for name, member in asdict(entry).items() if name != "account"}


def connected_from(account: str, value: Mapping[str, Any]) -> Connected:
    """The opposite of `entry_value`.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    return Connected(
        account=account,
        sealed=Sealed(str(value["sealed"]["token"]), str(value["sealed"]["secret"])),
        standing=Standing(value["standing"]),
        since_ms=int(value["since_ms"]),
        standing_ms=int(value["standing_ms"]),
        forget=bool(value["forget"]),
    )


def read_entry(record: Incoming) -> tuple[type[Entry], str, Entry | None] | None:
    """Which kind of entry, of which account, and the entry; None for it when it was removed.

    None for a record that cannot be read, which says nothing: never raises, for any bytes.
    """
    try:
        key = (record.key or b"").decode()
        account, kind = (key.removesuffix(_PENDING), Pending) if key.endswith(_PENDING) else (key, Connected)
        if record.value is None:
            return kind, account, None
        value = orjson.loads(record.value)
        if kind is Connected:
            return kind, account, connected_from(account, value)
        return kind, account, Pending(account, str(value["digest"]), float(value["expires"]))
    except (ValueError, TypeError, KeyError):
        return None


def _record(account: str, pending: bool, value: bytes | None, names: TopicNames, partitions: int) -> Outgoing:
    key = f"{account}{_PENDING if pending else ''}".encode()
    return Outgoing(names.accounts, shard_of(account, partitions), key, value)
