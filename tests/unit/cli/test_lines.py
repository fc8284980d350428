"""What passes by, as a line for people and as JSON for programs; the published examples are the records."""

import json
from typing import Any

import pytest

from bridge.cli.lines import as_json, as_line
from bridge.contract.records import Headers, Incoming, Position


def record(topic: str, value: Any, *, key: bytes | None = b"acme/7", headers: Headers = ()) -> Incoming:
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Incoming(Position(topic, 0, 41), key, raw, headers, 1_790_000_402_123)


def words(line: str) -> str:
    return " ".join(line.split()[1:])


SOURCE = {
    "connector": "copper",
    "account": "acme",
    "entity": "company",
    "id": 7,
    "ts_ms": 1_790_000_401_000,
    "via": "poll",
}


@pytest.mark.parametrize(
    ("topic", "value", "line"),
    [
        (
            "copper.company.updated",
            {"op": "u", "ts_ms": 1_790_000_402_100, "changed": ["name", "city"], "source": SOURCE},
            "event copper.company.updated acme/7 updated (name, city), poll, 1.1 s after the change",
        ),
        (
            "copper.company.deleted",
            {"op": "d", "ts_ms": 1_790_000_402_000, "changed": [], "source": SOURCE},
            "event copper.company.deleted acme/7 deleted, poll, 1.0 s after the change",
        ),
        (
            "copper.company.replies",
            {"status": "succeeded", "record": {"id": 7}, "command": {"entity": "company", "action": "update"}},
            "reply copper.company.replies acme/7 company.update succeeded id=7",
        ),
        (
            "copper.person.replies",
            {
                "status": "failed",
                "command": {"entity": "person", "action": "create"},
                "error": {"type": "invalid", "fields": {"data.name": ["required"]}},
                "duplicate": True,
            },
            "reply copper.person.replies acme/7 person.create failed invalid (data.name: required) (stored answer)",
        ),
        ("copper.task.commands", {"action": "update", "id": 9}, "command copper.task.commands acme/7 update id=9"),
        ("copper.company.state", None, "record copper.company.state acme/7 deleted"),
        ("copper.company.commands", b"\xff{", "record copper.company.commands acme/7 2 bytes"),
        (
            "copper.company.replies",
            {"status": 1, "command": None, "error": 5},
            "reply copper.company.replies acme/7 None.None 1",
        ),
    ],
)
def test_a_record_is_one_line_that_says_what_happened(topic: str, value: Any, line: str) -> None:
    assert words(as_line(record(topic, value))) == line


@pytest.mark.parametrize(
    ("topic", "value", "line"),
    [
        (
            "copper.bridge.notifications",
            {
                "type": "snapshot.progress",
                "account": "acme",
                "entity": "company",
                "control_id": None,
                "at_ms": 1,
                "data": {"records": 400, "expected": None, "calls": 2, "incomplete": False},
            },
            "notice copper.bridge.notifications acme/7 snapshot.progress company: records 400, calls 2",
        ),
        (
            "copper.bridge.watermarks",
            {
                "account": "acme",
                "entity": "lead",
                "complete_to": 1_790_000_281,
                "searched_at": 1_790_000_402,
                "claimed": 4,
                "seen": 3,
                "events": {"poll": 2},
                "deep_at": None,
                "swept_at": 1_790_000_000,
            },
            (
                "mark copper.bridge.watermarks acme/7 lead complete to 2026-09-21T14:18:01Z,"
                " searched 2026-09-21T14:20:02Z, 3 seen of 4 claimed, 2 by poll, sweep 2026-09-21T14:13:20Z"
            ),
        ),
        ("copper.bridge.notifications", {"type": "new.type"}, "record copper.bridge.notifications acme/7"),
    ],
)
def test_what_operators_are_told_is_a_line_too(topic: str, value: Any, line: str) -> None:
    assert words(as_line(record(topic, value))) == line


def test_a_buried_command_says_why() -> None:
    buried = record(
        "copper.lead.commands-dlt", {"action": "creat"}, headers=(("copper-bridge-error", b"unknown-action"),)
    )
    assert words(as_line(buried)) == "buried copper.lead.commands-dlt acme/7 creat unknown-action"


def test_json_holds_everything_on_one_line_even_of_bytes_that_are_no_text() -> None:
    line = as_json(record("t", b"\xff", key=None, headers=(("ce_id", b"1"), ("raw", b"\xfe"))))
    assert json.loads(line) == {
        "topic": "t",
        "partition": 0,
        "offset": 41,
        "timestamp": 1_790_000_402_123,
        "key": None,
        "headers": {"ce_id": "1", "raw": "\\xfe"},
        "value": "\\xff",
    }
