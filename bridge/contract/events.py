"""Events: changes of records as they are written to Kafka (contract.md §3).

Called by the shard for every change it decided on (`bridge.policy` decides, with `content_hash` and `changed_fields`).
Pure and deterministic: a change written twice gives equal records, but for the moment of writing. Knows topics and
headers, no client library.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

import orjson

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Headers, Outgoing
from bridge.contract.schemas import OPS, event_name, record_name, schema_id
from bridge.contract.topics import TopicNames

Record = Mapping[str, Any]

_ABSENT = object()


class Kind(StrEnum):
    """What happened to a record. A snapshot row says that it was there when the bridge first looked."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SNAPSHOT = "snapshot"


class ChangeClass(StrEnum):
    """What an update is about, for consumers who want to skip what nobody did on purpose."""

    EDIT = "edit"
    INTERACTION = "interaction"
    """Nothing but counters and dates of calls, mails and meetings."""
    ENRICHMENT = "enrichment"
    """Nothing but what Copper itself adds within seconds of a record's creation."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a deleted record, where more is known than that it is gone.

    `reason` is `converted` or `merge-suspected`; `into` maps entities to the ids of what it went into.
    """

    reason: str
    into: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from what was known of a record.

    `before` and `after` are whole records; `before` is None on created and snapshot, `after` on deleted. A record never
    seen before its delete has `before` of its id alone and `seen` False.
    """

    kind: Kind
    account: str
    entity: str
    record_id: int
    before: Record | None
    after: Record | None
    changed: tuple[str, ...]
    """From `changed_fields` on updated, else empty."""
    via: str
    """Which path saw it first: `ce_via`."""
    date_modified: int
    """Copper's stamp of the last known version, Unix seconds; 0 when it was never seen."""
    content_hash: str
    """Of `after`, of `before` on deleted: from `content_hash`."""
    happened_s: float
    """When it changed, Unix seconds: `date_modified`, or for a delete when it was announced or found out."""
    seen: bool = True
    change_class: ChangeClass | None = None
    """Of an update."""
    fate: Fate | None = None
    """Of a delete."""
    causation_id: str | None = None
    """Id of our own command that caused it."""
    traceparent: str | None = None


def content_hash(record: Record) -> str:
    """What a version of a record is known by: SHA-256, in hex, of all it says but `date_modified`."""
    return hashlib.sha256(_canonical({**record, "date_modified": None})).hexdigest()


def changed_fields(before: Record, after: Record) -> tuple[str, ...]:
    """The top-level fields that differ, custom fields as `custom_fields.<definition id>`, without `date_modified`.

    Empty exactly when both have the same `content_hash`.
    """
    names = dict.fromkeys([*after, *before])
    plainly = [name for name in names if before.get(name, _ABSENT) != after.get(name, _ABSENT)]
    if plainly in ([], ["date_modified"]):
        # Python takes 1, 1.0 and true for the same, the content hash does not: rare, so looked for only now
        plainly = [name for name in names if not _same(before.get(name, _ABSENT), after.get(name, _ABSENT))]
    return tuple(_named(plainly, before, after))


def _named(names: Iterable[str], before: Record, after: Record) -> Iterator[str]:
    for name in names:
        if name == "custom_fields":
            # The list may differ in its order alone.
            yield from list(_differing_definitions(before.get(name), after.get(name))) or [name]
        elif name != "date_modified":
            yield name


def _differing_definitions(old: Any, new: Any) -> Iterator[str]:
    before, after = _by_definition(old), _by_definition(new)
    for definition in dict.fromkeys([*after, *before]):
        if not _same(before.get(definition, _ABSENT), after.get(definition, _ABSENT)):
            yield f"custom_fields.{definition}"


def _by_definition(fields: Any) -> dict[Any, Any]:
    rows = fields if isinstance(fields, list) else []
    return {str(row.get("custom_field_definition_id")): row for row in rows if isinstance(row, dict)}


def _same(one: Any, other: Any) -> bool:
    """Equality as the content hash sees it: Python's own takes 1, 1.0 and true for the same."""
    if type(one) is not type(other):
        return False
    return _canonical(one) == _canonical(other) if isinstance(one, list | dict | float) else bool(one == other)


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def event_id(change: Change) -> str:
    """The id of the event, `ce_id`: the same change gives the same id whenever and by whomever it is published."""
    known = f"{change.date_modified}:{change.content_hash[:16]}"
    return f"{change.entity}:{change.record_id}:{known}:{change.kind}"


def state_key(account: str, record_id: int) -> bytes:
    """The key of a record in every topic of events and state."""
    return f"{account}/{record_id}".encode()


def parse_state_key(key: bytes) -> tuple[str, int]:
    """Account and record id of a key.

    Raises:
        ValueError: it is no such key.
    """
    account, slash, record_id = key.decode().rpartition("/")
    if not slash:
        raise ValueError("not a key of a record")
    return account, int(record_id)


def records_of(change: Change, names: TopicNames, shard: int, recorded_ms: int) -> tuple[Outgoing, ...]:
    """The change as records of all its topics: its kind, `.upserted` where it applies, `.changes`, and `.state` last.

    `recorded_ms` is now, Unix milliseconds. The records share their key, value and headers.
    """
    key = state_key(change.account, change.record_id)
    after = None if change.after is None else orjson.dumps(change.after, default=dict)
    value = _envelope(change, after, recorded_ms)
    told = _told(change, recorded_ms)
    of_kind, of_state = _constants(change.entity, change.kind)
    headers = of_kind + told
    events = [names.event(change.entity, kind) for kind in _topics(change.entity, change.kind)]
    return (
        *(Outgoing(topic, shard, key, value, headers) for topic in [*events, names.changes(change.entity)]),
        Outgoing(names.state(change.entity), shard, key, after, of_state + told),
    )


@cache
def _topics(entity: str, kind: Kind) -> tuple[str, ...]:
    return tuple(each for each in CATALOGUE.kinds(entity) if OPS[kind][0] in OPS[each])


def _envelope(change: Change, after: bytes | None, recorded_ms: int) -> bytes:
    source = {
        "connector": "copper",
        "account": change.account,
        "entity": change.entity,
        "id": change.record_id,
        "ts_ms": round(change.happened_s * 1000),
        "via": change.via,
    }
    envelope = {
        "op": OPS[change.kind][0],
        "ts_ms": recorded_ms,
        "before": change.before,
        "after": None if after is None else orjson.Fragment(after),
        "changed": change.changed,
        "source": source | _more(change),
    }
    return orjson.dumps(envelope, default=dict)


def _more(change: Change) -> dict[str, Any]:
    """What `source` says only where there is something to say."""
    more: dict[str, Any] = {} if change.seen else {"seen": False}
    if change.change_class is not None:
        more["class"] = change.change_class
    if change.fate is not None:
        more[_FATES[change.fate.reason]] = change.fate.into
    return more


_FATES = {"converted": "converted", "merge-suspected": "merged"}
"""Reason of a delete -> the member of `source` that says what the record went into."""


@cache
def _constants(entity: str, kind: Kind) -> tuple[Headers, Headers]:
    """The headers that are the same for every change of a kind, with the event's schema and with the record's."""
    common = (
        ("ce_specversion", b"1.0"),
        ("ce_type", f"copper.{entity}.{kind}.v1".encode()),
        ("content-type", b"application/json"),
    )
    event = (("ce_dataschema", schema_id(event_name(entity, kind)).encode()),)
    record = (("ce_dataschema", schema_id(record_name(entity)).encode()),)
    return common + event, common + record


def _told(change: Change, recorded_ms: int) -> Headers:
    headers: Headers = (
        ("ce_id", event_id(change).encode()),
        ("ce_source", f"/copper/{change.account}".encode()),
        ("ce_subject", f"{change.entity}/{change.record_id}".encode()),
        ("ce_time", _rfc_3339(change.happened_s)),
        ("ce_recordedtime", _rfc_3339(recorded_ms / 1000)),
        ("ce_via", change.via.encode()),
    )
    if change.change_class is not None:
        headers += (("ce_changeclass", change.change_class.encode()),)
    if change.fate is not None:
        headers += (("ce_deletereason", change.fate.reason.encode()),)
    if change.causation_id is not None:
        headers += (("ce_causationid", change.causation_id.encode()),)
    if change.traceparent is not None:
        headers += (("traceparent", change.traceparent.encode()),)
    return headers


def _rfc_3339(seconds: float) -> bytes:
    day, within = divmod(round(seconds * 1000), 86_400_000)
    minutes, milliseconds = divmod(within, 60_000)
    return b"%sT%02d:%02d:%06.3fZ" % (_date(day), minutes // 60, minutes % 60, milliseconds / 1000)


@lru_cache(maxsize=64)
def _date(day: int) -> bytes:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat().encode()
