"""Log lines come from one vocabulary, and hold what is said of them."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge
from bridge.contract.announcements import Told
from bridge.telemetry import logs
from bridge.telemetry.logs import Event

CODE = sorted(Path(bridge.__file__).parent.rglob("*.py"))
TELLING = {"info", "warning", "error", "tell"}


def _told() -> Iterator[tuple[str, ast.Call]]:
    """Every line of the bridge that logs."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_telling(node.func):
                yield f"{path.name}:{node.lineno}", node


def _is_telling(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute):
        return isinstance(called.value, ast.Name) and called.value.id in {"logs", "structlog"}
    return isinstance(called, ast.Name) and called.id == "tell"


def _event(call: ast.Call) -> str | None:
    """The vocabulary's name, if that is what the line begins with."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Attribute) and ast.unparse(first.value) in {"Event", "logs.Event"}:
        return first.attr
    return None


def test_every_line_begins_with_an_event_of_the_vocabulary_and_each_event_is_told_somewhere() -> None:
    lines = [(where, call) for where, call in _told() if ast.unparse(call.func).split(".")[-1] in TELLING]
    said = {where: _event(call) for where, call in lines}
    assert len(said) > 10
    (announced,) = [where for where, event in said.items() if event is None]
    assert announced.startswith("observing.py")  # there the vocabulary is that of announcements
    told = {Event(told.value).name for told in Told if not told.startswith(("snapshot.", "letter."))}
    assert {*said.values(), *told} - {None} == {event.name for event in Event}


def test_no_field_of_a_line_is_made_of_pieces_or_of_an_errors_text() -> None:
    """Why Kafka cannot be used comes in words of ours, from `bridge.access`: no record and no secret is near them."""
    made = [
        (where, ast.unparse(field.value))
        for where, call in _told()
        for field in call.keywords
        if isinstance(field.value, ast.JoinedStr) or ast.unparse(field.value).startswith(("str(", "repr("))
    ]
    assert made == []


def test_the_running_bridge_tells_by_the_vocabulary_alone() -> None:
    elsewhere = {
        (path.name, ast.unparse(node.func))
        for path in CODE
        if path.parent.name in {"app", "copper", "kafka", "policy", "settings", "shard", "web"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("logging.", "print", "structlog."))
    }
    assert elsewhere == set()


@pytest.mark.parametrize(("form", "is_json"), [("json", True), ("console", False), ("auto", True)])
def test_a_line_is_for_machines_or_for_people(form: str, is_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", form)  # type: ignore[arg-type]
    logs.info(Event.READY, shards=[0, 2])
    out, told = capsys.readouterr()
    assert out == ""
    assert told.count("\n") == 1
    assert told.startswith("{") is is_json
    if is_json:
        line = json.loads(told)
        assert {**line, "ts": ""} == {"event": "bridge.ready", "level": "info", "shards": [0, 2], "ts": ""}
    else:
        assert "bridge.ready" in told


def test_what_a_library_logs_is_told_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    library = logging.getLogger("some.library")
    library.info("connected to %s", "ops@acme.example")
    library.warning("no answer from %s", "ops@acme.example")
    library.error("cannot find ops@acme.example", exc_info=LookupError("ops@acme.example"))
    logging.getLogger("aiokafka.conn").error("a retry")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"], line["logger"], line.get("error")) for line in told] == [
        ("library.told", "warning", "some.library", None),
        ("library.told", "error", "some.library", "LookupError"),
    ]
    assert all(line["where"].startswith("test_logs:") for line in told)
    assert "ops@" not in str(told)


def test_lines_below_the_level_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "json")
    logs.info(Event.READY)
    logs.warning(Event.SCAN_FAILED)
    logs.error(Event.UNEXPECTED)
    told = [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["warning", "error"]
