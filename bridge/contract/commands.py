"""Commands: requests that callers put on `copper.<entity>.commands`, decoded from their Kafka records.

Called by `bridge.shard.executing` (decode) and by clients (encode). Knows the header families of contract.md §4 and the
catalogue; knows no Kafka client and no Copper call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.contract.failures import Failure
from bridge.contract.records import Headers, Incoming, Position


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where the answer goes. `refused` names the topic that was asked for and not allowed, if any."""

    topic: str
    partition: int | None
    correlation: Headers
    """Correlation headers to be echoed byte for byte, under the names they came with."""
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A valid request. `deadline` is Unix seconds; `fingerprint` tells whether two commands of one id ask the same."""

    id: str
    account: str
    entity: str
    action: str
    record_id: int | None
    email: str | None
    data: Mapping[str, Any]
    match: Mapping[str, Any] | None
    expect: Mapping[str, Any] | None
    reply: ReplyAddress
    deadline: float | None
    lane: str
    fingerprint: str
    position: Position
    """Where the record lay first: a forwarded command keeps the identity it had."""
    key: bytes | None
    received_ms: int
    """The record's own time stamp, Unix milliseconds."""
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that can never be carried out: `failure` says why; as much of the reply address as could be read."""

    id: str
    account: str | None
    entity: str
    action: str | None
    failure: Failure
    reply: ReplyAddress
    record: Incoming
    position: Position
