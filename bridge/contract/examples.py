"""A valid example of every message on every topic, made by the code that makes the real ones.

Called by `publish` and `asyncapi`. Pure: the moments and identities in it are made up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.commands import Command, Malformed, decode, encode
from bridge.contract.control import Asked, Control, control_record
from bridge.contract.dead_letters import REDRIVES, dead_letter
from bridge.contract.events import Change, ChangeClass, Kind, changed_fields, content_hash, event_id, records_of
from bridge.contract.notices import Notice, notice_record
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.replies import Reply, Status, failed, reply_record
from bridge.contract.schemas import OPS, command_name, event_name, record_name
from bridge.contract.topics import TopicNames
from bridge.contract.watermarks import Watermark, watermark_record

ACCOUNT = "acme"
NAMES = TopicNames()

_RECORDED_MS = 1790000702123
_SHARD = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A message: `name` is its file's, `schema` the name of the schema of its value."""

    name: str
    topic: str
    schema: str
    key: str
    headers: Mapping[str, str]
    """Text as it is; what is no text in hexadecimal with 0x before it."""
    value: Any

    def document(self) -> dict[str, Any]:
        """As published: `topics/examples/<name>.json`."""
        return {"topic": self.topic, "key": self.key, "headers": dict(self.headers), "value": self.value}


def examples() -> tuple[Example, ...]:
    """All of them: one per topic, and one per action on the topics of commands."""
    return (
        *(each for entity in CATALOGUE.followed for each in _events(entity)),
        *(_command(action) for action in CATALOGUE.actions),
        *(each for entity in CATALOGUE.entities for each in _answers(entity)),
        *_parked(),
        _notice(),
        *_of_operation(),
    )


def change(entity: str, kind: Kind) -> Change:
    """A change of the entity's example record."""
    now = CATALOGUE.entities[entity].example
    stamp = now["date_modified"]
    was = {**now, "name": f"{now['name']} (old)", "date_modified": stamp - 60}
    before = {Kind.UPDATED: was, Kind.DELETED: now}.get(kind)
    return Change(
        kind=kind,
        account=ACCOUNT,
        entity=entity,
        record_id=now["id"],
        before=before,
        after=None if kind is Kind.DELETED else now,
        changed=changed_fields(was, now) if kind is Kind.UPDATED else (),
        via={Kind.DELETED: "webhook", Kind.SNAPSHOT: "snapshot"}.get(kind, "poll"),
        date_modified=stamp,
        content_hash=content_hash(now),
        happened_s=stamp + 60 if kind is Kind.DELETED else stamp,
        change_class=ChangeClass.EDIT if kind is Kind.UPDATED else None,
    )


def _events(entity: str) -> Iterator[Example]:
    *created, changes, state = records_of(change(entity, Kind.CREATED), NAMES, _SHARD, _RECORDED_MS)
    updated, *_ = records_of(change(entity, Kind.UPDATED), NAMES, _SHARD, _RECORDED_MS)
    deleted, *_ = records_of(change(entity, Kind.DELETED), NAMES, _SHARD, _RECORDED_MS)
    for record in [*created, updated, deleted]:
        yield _example(record, event_name(entity, record.topic.rpartition(".")[2]))
    yield _example(changes, event_name(entity, Kind.CREATED))
    yield _example(state, record_name(entity))


def _command(action: Action) -> Example:
    return _example(_as_outgoing(_incoming(action)), command_name(action), action.name)


def _incoming(action: Action) -> Incoming:
    asked = action.example
    value, headers = encode(
        action.name,
        record_id=asked.get("id"),
        email=asked.get("email"),
        data=asked.get("data"),
        match=asked.get("match"),
        command_id=f"example-{action.entity}-{action.name}",
        correlation=b"example-correlation",
    )
    return _on_commands(action.entity, value, headers)


def _on_commands(entity: str, value: bytes, headers: Headers) -> Incoming:
    return Incoming(Position(NAMES.commands(entity), _SHARD, 41), ACCOUNT.encode(), value, headers, _RECORDED_MS)


def _as_outgoing(record: Incoming) -> Outgoing:
    return Outgoing(record.position.topic, record.position.partition, record.key, record.value, record.headers)


def _decoded(record: Incoming, entity: str) -> Command | Malformed:
    return decode(record, entity=entity, names=NAMES, accounts=[ACCOUNT], allowed_replies=[])


def _answers(entity: str) -> Iterator[Example]:
    """A reply, and the dead letter of a command that breaks its schema with the reply to that."""
    create, *_ = CATALOGUE.actions_of(entity)
    record = CATALOGUE.entities[entity].example
    caused = event_id(change(entity, Kind.CREATED)) if entity in CATALOGUE.followed else None
    reply = Reply(Status.SUCCEEDED, record=record, attempts=1, event_id=caused, queued_ms=3, copper_ms=181)
    answered = reply_record(_decoded(_incoming(create), entity), reply, NAMES, _SHARD)
    yield _example(answered, "reply.v1")

    for refused in _refused(entity):
        yield _example(reply_record(refused, failed(refused.failure), NAMES, _SHARD), "reply.v1", "failed")
        yield _example(dead_letter(refused.record, refused.failure, 0, NAMES, entity, _SHARD), "")


def _refused(entity: str) -> Iterator[Malformed]:
    headers: Headers = (("idempotency-key", b"example-bad"),)
    command = _decoded(_on_commands(entity, b'{"action": "create", "data": {"nam": 7}}', headers), entity)
    if isinstance(command, Malformed):
        yield command


def _parked() -> Iterator[Example]:
    """A dead letter that was put back three times."""
    for refused in _refused("company"):
        command = replace(refused.record, headers=(*refused.record.headers, (REDRIVES, b"3")))
        buried = dead_letter(command, refused.failure, 0, NAMES, "company", _SHARD)
        yield _example(replace(buried, topic=NAMES.parked), "")


def _notice() -> Example:
    gone = CATALOGUE.entities["company"].example
    notice = Notice(ACCOUNT, "company", "deleted", (gone["id"],), (gone["date_modified"] + 60) * 1000)
    return _example(notice_record(notice, NAMES, partitions=1), "notice.v1")


def _of_operation() -> Iterator[Example]:
    """What operators say and are told."""
    asked = Control("example-control", Asked.SNAPSHOT, ACCOUNT, "company")
    yield _example(control_record(asked, NAMES, partitions=1), "control.v1")
    progress = {"records": 24_000, "expected": 120_000, "calls": 121, "seconds_left": 1130}
    told = Announcement(Told.SNAPSHOT_PROGRESS, ACCOUNT, _RECORDED_MS, "company", asked.id, progress)
    yield _example(announcement_record(told, NAMES, _SHARD), "announcement.v1")
    scanned = _RECORDED_MS // 1000
    mark = Watermark(ACCOUNT, "lead", scanned - 121, scanned, 4, 4, {"poll": 1}, scanned - 60, scanned - 3600)
    yield _example(watermark_record(mark, NAMES, _SHARD), "watermark.v1")


def _example(record: Outgoing, schema: str, suffix: str = "") -> Example:
    name = f"{record.topic}.{suffix}" if suffix else record.topic
    headers = {header: _shown(raw) for header, raw in record.headers}
    return Example(
        name, record.topic, schema, (record.key or b"").decode(), headers, orjson.loads(record.value or b"null")
    )


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    return text if text.isprintable() and text.encode() == raw else f"0x{raw.hex()}"


def messages_of(kind: str) -> tuple[str, ...]:
    """The kinds of event whose records a topic of that kind carries: `.upserted` carries two."""
    return tuple(each.value for each in Kind if OPS[each][0] in OPS[kind])
