"""Headers of a command: three families of names for the same things (contract.md §4), read into one value.

Called by `commands.decode`. Any bytes are taken: what cannot be read is a problem by the header's name, never an
exception, and the reply address is always as good as could be read.
"""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeVar

import orjson

from bridge.contract.moments import moment
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.topics import TopicNames

FORWARDED = "copper-bridge-forwarded"
"""Put on by the bridge alone, when it moves a command to its account's partition or it is put back from the dead
letters: where the command lay first."""

COMMAND_ID = ("idempotency-key", "ce_id")
CORRELATION = ("kafka_correlationId", "correlation-id", "correlation_id")
REPLY_TOPIC = ("kafka_replyTopic", "reply-to", "reply_to")
REPLY_PARTITION = "kafka_replyPartition"
DEADLINE = ("ce_expirytime", "deadline")
LANES = ("interactive", "bulk")

MOST_HEADERS = 100
"""Headers of a command that are looked at; a sender with more is no sender of commands."""

_WRITTEN_AS_JSON = "spring_json_header_types"
"""Put on by Spring's header mapper: an object that names the headers which it may have written as JSON."""

_LONGEST_ID = 255
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_TYPE = re.compile(r"copper\.([a-z-]+)\.([a-z-]+)\.v1")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where the answer goes. `refused` names the topic that was asked for and not allowed, if any."""

    topic: str
    partition: int | None
    correlation: Headers
    """Correlation headers to be echoed byte for byte, under the names they came with."""
    refused: str | None = None
    traceparent: str | None = None
    """W3C trace context of whoever answers, when tracing is on."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What the headers of a command say. `deadline` is Unix seconds."""

    id: str
    position: Position
    reply: ReplyAddress
    deadline: float | None
    lane: str
    action: str | None
    """From `ce_type`, when it speaks of a command of ours."""
    problems: dict[str, tuple[str, ...]]
    """Header name to what is wrong with it."""


def read_heading(record: Incoming, entity: str, names: TopicNames, allowed_replies: Sequence[str]) -> Heading:
    """Read all headers of a command; what is missing or unreadable takes its default."""
    problems: dict[str, tuple[str, ...]] = {}
    position = first_position(record)
    own = tuple(header for header in record.headers if header[0] != FORWARDED)
    if len(own) > MOST_HEADERS:
        problems["headers"] = (f"must be at most {MOST_HEADERS}",)
        record = replace(record, headers=own[:MOST_HEADERS])
    record = _unquoted(record)

    def take(family: Sequence[str], parse: Callable[[bytes], T], default: T) -> T:
        name, raw = _first(record, family)
        if raw is None:
            return default
        try:
            return parse(raw)
        except ValueError as error:
            # A decoding error would quote the bytes: only our own words are passed on.
            said = "must be UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            problems[name] = (said,)
            return default

    return Heading(
        id=take(COMMAND_ID, lambda raw: _command_id(record, raw), str(position)),
        position=position,
        reply=_address(
            record, names.replies(entity), names, allowed_replies, take([REPLY_PARTITION], _partition, None)
        ),
        deadline=take(DEADLINE, _deadline, None),
        lane=take(["lane"], _lane, LANES[0]),
        action=take(["ce_type"], lambda raw: _action(raw, entity), None),
        problems=problems,
    )


def _unquoted(record: Incoming) -> Incoming:
    """The record with its text headers as they were meant: Spring may have put them in quotes.

    Correlation stays as it is: it is echoed, and its sender reads it in the way that he wrote it.
    """
    written = _names_of_json(record.header(_WRITTEN_AS_JSON))
    headers = ((name, raw, name in written and name not in CORRELATION) for name, raw in record.headers)
    return replace(record, headers=tuple((name, _text(raw) if quoted else raw) for name, raw, quoted in headers))


def _names_of_json(raw: bytes | None) -> Container[str]:
    if raw is None:
        return ()
    try:
        types = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ()
    return types if isinstance(types, dict) else ()


def _text(raw: bytes) -> bytes:
    """What a JSON string says; anything else is left alone, as Spring leaves plain text."""
    if not raw.startswith(b'"'):
        return raw
    try:
        return str(orjson.loads(raw)).encode()
    except orjson.JSONDecodeError:
        return raw


def _first(record: Incoming, family: Sequence[str]) -> tuple[str, bytes | None]:
    """The first name of a family that is present, with its value."""
    found = ((name, record.header(name)) for name in family)
    return next(((name, raw) for name, raw in found if raw is not None), (family[0], None))


def first_position(record: Incoming) -> Position:
    """Where the record lay first. The header counts for this topic only: it moves commands between its partitions."""
    first = Position.parse((record.header(FORWARDED) or b"").decode(errors="replace"))
    return record.position if first is None or first.topic != record.position.topic else first


def _command_id(record: Incoming, raw: bytes) -> str:
    text = raw.decode()
    if record.header(COMMAND_ID[0]) is None:
        # CloudEvents makes ids unique within their source only.
        source = (record.header("ce_source") or b"").decode()
        text = f"{source}#{text}" if source and text else text
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise ValueError(f"must be 1 to {_LONGEST_ID} printable characters")
    return text


def _partition(raw: bytes) -> int | None:
    partition = int.from_bytes(raw, "big", signed=True)
    if len(raw) != 4 or partition < 0:  # noqa: PLR2004 - the width of Spring's header
        raise ValueError("must be a partition number as 4 bytes, big endian")
    return partition


def _deadline(raw: bytes) -> float | None:
    return moment(raw.decode())


def _lane(raw: bytes) -> str:
    lane = raw.decode()
    if lane not in LANES:
        raise ValueError("must be " + " or ".join(LANES))
    return lane


def _action(raw: bytes, entity: str) -> str | None:
    text = raw.decode()
    if not text.startswith("copper."):
        return None
    match = _TYPE.fullmatch(text)
    if match is None or match[1] != entity:
        raise ValueError(f"must be copper.{entity}.<action>.v1 on this topic")
    return match[2]


def _address(
    record: Incoming, default: str, names: TopicNames, allowed: Sequence[str], partition: int | None
) -> ReplyAddress:
    name, raw = _first(record, CORRELATION)
    correlation: Headers = () if raw is None else ((name, raw),)
    _, asked = _first(record, REPLY_TOPIC)
    if asked is None:
        return ReplyAddress(default, partition, correlation)
    topic = asked.decode(errors="replace")
    if topic == default or (_is_legal(topic) and names.may_take_replies(topic) and _matches(topic, allowed)):
        return ReplyAddress(topic, partition, correlation)
    # The partition was meant for the refused topic.
    return ReplyAddress(default, None, correlation, refused=topic[:249])


def _is_legal(topic: str) -> bool:
    return _TOPIC.fullmatch(topic) is not None and topic not in {".", ".."}


def _matches(topic: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(topic, pattern) for pattern in patterns)
