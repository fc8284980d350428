"""Replies: the one final answer to a command (contract.md §5), as a value, a record and a journal entry.

Called by `bridge.shard.executing`, and by clients to read it. Knows headers and topics, no client library and no reason
why an answer is as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract.commands import Command, Malformed
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Headers, Incoming, Outgoing
from bridge.contract.topics import TopicNames


class Status(StrEnum):
    """How a command ended. `EXPIRED` provably did nothing; `UNKNOWN` may have."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `failure` is given on anything but success; `record` or `records` are Copper's answer, if any.

    Raises:
        ValueError: a status that needs a failure came without one, or the other way round.
    """

    status: Status
    record: Mapping[str, Any] | None = None
    records: Sequence[Mapping[str, Any]] | None = None
    failure: Failure | None = None
    duplicate: bool = False
    """The command had been carried out before; this is the stored answer."""
    already: bool = False
    """It was so before: deleting what is gone."""
    attempts: int = 0
    """Calls made to Copper for it."""
    event_id: str | None = None
    """Id of the event that the command caused, when it is known."""
    queued_ms: int | None = None
    """From the command's time stamp to the first call, milliseconds."""
    copper_ms: int | None = None
    """Spent in calls to Copper, milliseconds."""

    def __post_init__(self) -> None:
        if (self.status is Status.SUCCEEDED) is not (self.failure is None):
            raise ValueError(f"a reply that {self.status} and its failure do not fit")


def failed(failure: Failure, *, attempts: int = 0) -> Reply:
    """The reply to a command that Copper did not carry out and that will not be tried again."""
    return Reply(Status.FAILED, failure=failure, attempts=attempts)


def reply_record(command: Command | Malformed, reply: Reply, names: TopicNames, shard: int) -> Outgoing:
    """The reply as a record, keyed like the command, in the topic and partition that the command asked for.

    In the default topic it lies in the account's shard; in a caller's own topic the partitioner decides.
    """
    address = command.reply
    default = shard if address.topic == names.replies(command.entity) else None
    partition = default if address.partition is None else address.partition
    key = command.key if isinstance(command, Command) else command.record.key
    return Outgoing(address.topic, partition, key, _value(command, reply), _headers(command, reply))


def _headers(command: Command | Malformed, reply: Reply) -> Headers:
    source = "/copper" if command.account is None else f"/copper/{command.account}"
    headers = [
        *command.reply.correlation,
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{command.id}:reply".encode()),
        ("ce_source", source.encode()),
        ("ce_type", f"copper.{command.entity}.{command.action or 'unknown'}.reply.v1".encode()),
        ("ce_causationid", command.id.encode()),
        ("content-type", b"application/json"),
        ("status", reply.status.encode()),
    ]
    if reply.failure is not None:
        headers.append(("copper-bridge-error", reply.failure.code.encode()))
    if command.reply.refused is not None:
        headers.append(("reply-to-refused", command.reply.refused.encode()))
    if command.reply.traceparent is not None:
        headers.append(("traceparent", command.reply.traceparent.encode()))
    return tuple(headers)


def _value(command: Command | Malformed, reply: Reply) -> bytes:
    asked = {
        "id": command.id,
        "action": command.action,
        "entity": command.entity,
        "account": command.account,
        "topic": command.position.topic,
        "partition": command.position.partition,
        "offset": command.position.offset,
    }
    answer = _answer(reply)
    timing = {"queued_ms": reply.queued_ms, "copper_ms": reply.copper_ms}
    return orjson.dumps({**answer, "command": asked, "event_id": reply.event_id, "timing": timing}, default=_plain)


def _answer(reply: Reply) -> dict[str, Any]:
    answer = {
        "status": reply.status.value,
        "record": reply.record,
        "records": reply.records,
        "error": None if reply.failure is None else _error(reply.failure),
        "duplicate": reply.duplicate,
        "attempts": reply.attempts,
    }
    return {**answer, "already": True} if reply.already else answer


def _plain(value: Any) -> Any:
    """Mappings and sequences that are not Python's own, for orjson."""
    return dict(value) if isinstance(value, Mapping) else list(value)


def _error(failure: Failure) -> dict[str, Any]:
    return {
        "type": failure.code.value,
        "title": failure.title,
        "detail": failure.detail,
        "fields": failure.fields,
        "http_status": failure.http_status,
        "retryable": failure.retryable,
    }


def stored(reply: Reply) -> dict[str, Any]:
    """A reply for the journal, ready for JSON."""
    times = {"event_id": reply.event_id, "queued_ms": reply.queued_ms, "copper_ms": reply.copper_ms}
    return {**_answer(reply), **times}


def from_stored(entry: Mapping[str, Any]) -> Reply:
    """The stored answer to a command that came again, marked as a duplicate.

    Raises:
        KeyError, ValueError: the entry was not made by `stored`.
    """
    return _reply(entry, entry, duplicate=True)


def read_reply(record: Incoming) -> Reply | None:
    """The reply of a record; None for anything that is none, and for a status or code of a later version."""
    try:
        value: Any = orjson.loads(record.value or b"")
        return _reply(value, {**value["timing"], "event_id": value["event_id"]}, duplicate=value["duplicate"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _reply(answer: Mapping[str, Any], told: Mapping[str, Any], *, duplicate: bool) -> Reply:
    """Read what `_answer` made; `told` has the event and the times."""
    return Reply(
        status=Status(answer["status"]),
        record=answer["record"],
        records=answer["records"],
        failure=None if answer["error"] is None else _failure(answer["error"]),
        duplicate=duplicate,
        already=answer.get("already", False),
        attempts=answer["attempts"],
        event_id=told["event_id"],
        queued_ms=told["queued_ms"],
        copper_ms=told["copper_ms"],
    )


def _failure(error: Mapping[str, Any]) -> Failure:
    fields = error["fields"]
    return Failure(
        code=Code(error["type"]),
        title=error["title"],
        detail=error["detail"],
        fields=None if fields is None else {path: tuple(reasons) for path, reasons in fields.items()},
        http_status=error["http_status"],
        retryable=error["retryable"],
    )
