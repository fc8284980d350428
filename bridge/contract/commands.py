"""Commands: requests that callers put on `copper.<entity>.commands`, decoded from their Kafka records.

Called by `bridge.shard.executing` (decode) and by clients (encode). Knows the header families of contract.md §4 and the
catalogue; knows no Kafka client and no Copper call.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.failures import Code, Failure
from bridge.contract.headers import FORWARDED, REPLY_PARTITION, Heading, ReplyAddress, first_position, read_heading
from bridge.contract.payloads import Problems, did_you_mean, parse, problems
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.signing import NO_KEYS, SigningKeys
from bridge.contract.topics import TopicNames

__all__ = ["Command", "Malformed", "ReplyAddress", "decode", "encode", "forwarded"]


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


def decode(
    record: Incoming,
    *,
    entity: str,
    names: TopicNames,
    accounts: Collection[str],
    allowed_replies: Sequence[str],
    keys: SigningKeys = NO_KEYS,
) -> Command | Malformed:
    """Read a record of the commands topic of `entity`. Any bytes give a value, never an exception.

    `accounts` are those the bridge serves: with exactly one, a command may leave its account out. `allowed_replies` are
    patterns of topics that callers may have their replies in (`replies.allowed`). With any `keys`, only signed commands
    get through.
    """
    heading = read_heading(record, entity, names, allowed_replies)
    value = parse(record.value)
    if isinstance(value, str):
        return _malformed(record, entity, heading, Code.MALFORMED, {"": (value,), **heading.problems})
    account = _account(value, accounts)
    action = _action(value, entity, heading)
    if isinstance(action, Failure):
        return _refused(record, entity, heading, action, account=account)
    wrong = {**heading.problems, **problems(action, value)}
    if wrong:
        code = Code.MALFORMED if heading.problems else Code.INVALID
        return _malformed(record, entity, heading, code, wrong, account=account, action=action.name)
    if account is None:
        return _refused(record, entity, heading, _no_account(value), action=action.name)
    unsigned = keys.refusal(record)
    if unsigned is not None:
        return _refused(record, entity, heading, unsigned, account=account, action=action.name)
    return _command(record, entity, heading, value, account, action)


def _account(value: Mapping[str, Any], accounts: Collection[str]) -> str | None:
    asked = value.get("account")
    if "account" not in value and len(accounts) == 1:
        return next(iter(accounts))
    return asked if isinstance(asked, str) and asked in accounts else None


NOT_SERVED = Failure(Code.UNKNOWN_ACCOUNT, "Unknown account", "this bridge does not serve the account named")


def _no_account(value: Mapping[str, Any]) -> Failure:
    if "account" in value:
        return NOT_SERVED
    detail = "this bridge serves several accounts: the command must name one in `account`"
    return Failure(Code.UNKNOWN_ACCOUNT, "Account missing", detail, {"account": ("required",)})


def _action(value: Mapping[str, Any], entity: str, heading: Heading) -> Action | Failure:
    asked = value.get("action", heading.action)
    known = [row.name for row in CATALOGUE.actions_of(entity)]
    if not isinstance(asked, str):
        said = "must be a string" if "action" in value else "required, here or as the header ce_type"
        return _failure(Code.MALFORMED, {"action": (said,), **heading.problems})
    if heading.action not in {None, asked}:
        return _failure(Code.MALFORMED, {"action": ("differs from the header ce_type",), **heading.problems})
    action = CATALOGUE.action(entity, asked)
    if action is None:
        said = f"unknown action{did_you_mean(asked, known)}; {entity} has {', '.join(known)}"
        return Failure(Code.UNKNOWN_ACTION, "Unknown action", said, {"action": (said,)})
    return action


def _command(
    record: Incoming, entity: str, heading: Heading, value: Mapping[str, Any], account: str, action: Action
) -> Command:
    asked = (value.get("id"), value.get("email"), value.get("data", {}), value.get("match"), value.get("expect"))
    record_id, email, data, match, expect = asked
    return Command(
        id=heading.id,
        account=account,
        entity=entity,
        action=action.name,
        record_id=record_id,
        email=email,
        data=data,
        match=match,
        expect=expect,
        reply=heading.reply,
        deadline=heading.deadline,
        lane=heading.lane,
        fingerprint=_fingerprint(entity, action.name, account, *asked),
        position=heading.position,
        key=record.key,
        received_ms=record.timestamp_ms,
        headers=record.headers,
    )


def _fingerprint(*asked: Any) -> str:
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:32]


def _malformed(
    record: Incoming,
    entity: str,
    heading: Heading,
    code: Code,
    wrong: Problems,
    *,
    account: str | None = None,
    action: str | None = None,
) -> Malformed:
    return _refused(record, entity, heading, _failure(code, wrong), account=account, action=action)


def _failure(code: Code, wrong: Problems) -> Failure:
    title = "The command cannot be read" if code is Code.MALFORMED else "The command breaks its schema"
    told = [f"{path}: {reason}" if path else reason for path, reasons in wrong.items() for reason in reasons]
    return Failure(
        code, title, "; ".join(told)[:1000], {path: reasons for path, reasons in wrong.items() if path} or None
    )


def _refused(
    record: Incoming,
    entity: str,
    heading: Heading,
    failure: Failure,
    *,
    account: str | None = None,
    action: str | None = None,
) -> Malformed:
    return Malformed(heading.id, account, entity, action, failure, heading.reply, record, heading.position)


def forwarded(record: Incoming, partition: int) -> Outgoing:
    """The same command for another partition of its topic, marked with the position it lay at first."""
    theirs = tuple(header for header in record.headers if header[0] != FORWARDED)
    mark = (FORWARDED, str(first_position(record)).encode())
    return Outgoing(record.position.topic, partition, record.key, record.value, (*theirs, mark))


def encode(
    action: str,
    *,
    account: str | None = None,
    record_id: int | None = None,
    email: str | None = None,
    data: Mapping[str, Any] | None = None,
    match: Mapping[str, Any] | None = None,
    expect: Mapping[str, Any] | None = None,
    command_id: str | None = None,
    correlation: bytes | None = None,
    reply_topic: str | None = None,
    reply_partition: int | None = None,
    deadline: float | None = None,
    lane: str | None = None,
    traceparent: str | None = None,
) -> tuple[bytes, Headers]:
    """Value and headers of a command, as a caller puts them on the commands topic. `deadline` is Unix seconds."""
    members = {
        "action": action,
        "account": account,
        "id": record_id,
        "email": email,
        "data": data,
        "match": match,
        "expect": expect,
    }
    value = orjson.dumps({name: member for name, member in members.items() if member is not None})
    headers = {
        "idempotency-key": _text(command_id),
        "correlation-id": correlation,
        "reply-to": _text(reply_topic),
        REPLY_PARTITION: None if reply_partition is None else reply_partition.to_bytes(4, "big"),
        "deadline": None if deadline is None else datetime.fromtimestamp(deadline, UTC).isoformat().encode(),
        "lane": _text(lane),
        "traceparent": _text(traceparent),
    }
    return value, tuple((name, raw) for name, raw in headers.items() if raw is not None)


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
