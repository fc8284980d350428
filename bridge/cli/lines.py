"""One line of text per record, for people who watch what passes; one JSON object for programs.

Called by `listen`, the operators' commands and the demo. Any bytes give a line. Pure.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from bridge.contract.announcements import Announcement, read_announcement
from bridge.contract.moments import utc
from bridge.contract.records import Incoming
from bridge.contract.watermarks import Watermark, read_watermark


def as_line(record: Incoming) -> str:
    """`21:04:11  event    copper.company.updated  acme/1006  name changed, poll`, in local time."""
    kind, what = _said(record)
    at, key = local(record.timestamp_ms), _text(record.key) or "-"
    return f"{at}  {kind:<8} {record.position.topic:<30} {key:<16} {what}".rstrip()


def local(at_ms: int) -> str:
    """Unix milliseconds as a local time of day."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S")


def of_announcement(said: Announcement) -> str:
    """`snapshot.progress company: records 400, expected 1200, calls 2, seconds_left 8`."""
    about = f"{said.told} {said.entity or ''}".rstrip()
    told = {name: value for name, value in said.data.items() if value is not None and value is not False}
    data = ", ".join(f"{name} {_words(value)}" for name, value in told.items())
    return f"{about}: {data}" if data else about


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def of_watermark(mark: Watermark) -> str:
    """`company complete to 2026-11-25T07:00:10Z, searched 2026-11-25T07:02:11Z, 3 seen of 3 claimed, …`."""
    parts = [
        f"{mark.entity} complete to {utc(mark.complete_to)}",
        f"searched {utc(mark.searched_at)}",
        f"{mark.seen} seen" + ("" if mark.claimed is None else f" of {mark.claimed} claimed"),
        *(f"{count} by {via}" for via, count in mark.events.items()),
        "" if mark.deep_at is None else f"deep pass {utc(mark.deep_at)}",
        "" if mark.swept_at is None else f"sweep {utc(mark.swept_at)}",
    ]
    return ", ".join(part for part in parts if part)


def _said(record: Incoming) -> tuple[str, str]:
    value = _parsed(record.value)
    topic = record.position.topic
    if not isinstance(value, dict):
        return "record", "deleted" if record.value is None else f"{len(record.value)} bytes"
    if topic.endswith((".commands", ".commands-dlt")):
        return ("buried" if topic.endswith("-dlt") else "command"), _command(record, value)
    if "status" in value and "command" in value:
        return "reply", _reply(value)
    if "op" in value and "source" in value:
        return "event", _event(value)
    return _operating(record)


def _operating(record: Incoming) -> tuple[str, str]:
    topic = record.position.topic
    if topic.endswith(".bridge.notifications") and (said := read_announcement(record)) is not None:
        return "notice", of_announcement(said)
    if topic.endswith(".bridge.watermarks") and (mark := read_watermark(record)) is not None:
        return "mark", of_watermark(mark)
    return "record", ""


def _command(record: Incoming, value: Mapping[str, Any]) -> str:
    refused = record.header("copper-bridge-error")
    parts = [str(value.get("action", "?")), _id(value.get("id")), refused and _text(refused)]
    return " ".join(part for part in parts if part)


def _reply(value: Mapping[str, Any]) -> str:
    command, error, record = (_mapping(value.get(name)) for name in ("command", "error", "record"))
    fields = ", ".join(f"{name}: {'; '.join(map(str, why))}" for name, why in _mapping(error.get("fields")).items())
    parts = [
        f"{command.get('entity')}.{command.get('action')}",
        str(value["status"]),
        _id(record.get("id")),
        str(error.get("type") or ""),
        f"({fields})" if fields else "",
        "(stored answer)" if value.get("duplicate") else "",
    ]
    return " ".join(part for part in parts if part)


def _event(value: Mapping[str, Any]) -> str:
    words = {"c": "created", "u": "updated", "d": "deleted", "r": "snapshot"}
    source = _mapping(value["source"])
    changed = ", ".join(map(str, value.get("changed") or ()))
    lag_s = (value.get("ts_ms", 0) - source.get("ts_ms", 0)) / 1000
    told = f"{words.get(value['op'], value['op'])}{f' ({changed})' if changed else ''}"
    return f"{told}, {source.get('via')}, {lag_s:.1f} s after the change"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(value: Any) -> str:
    return "" if value is None else f"id={value}"


def as_json(record: Incoming) -> str:
    """The record as one line of JSON; headers and bytes that are no UTF-8 are shown with escapes."""
    position = record.position
    return orjson.dumps(
        {
            "topic": position.topic,
            "partition": position.partition,
            "offset": position.offset,
            "timestamp": record.timestamp_ms,
            "key": _text(record.key),
            "headers": {name: _text(value) for name, value in record.headers},
            "value": _parsed(record.value),
        }
    ).decode()


def _parsed(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return _text(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
