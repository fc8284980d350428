"""Cursors and journal entries come back as they were written."""

from typing import Any

import orjson
import pytest

from bridge.contract.commands import Command, decode, encode
from bridge.contract.cursors import ScanCursor, position_key, scan_key
from bridge.contract.failures import Code, Failure
from bridge.contract.journal import Attempted, Finished
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.replies import Reply, Status, failed
from bridge.contract.topics import TopicNames
from bridge.shard.cursors import cursor_record, following_since, read_scan, scan_record
from bridge.shard.journal import (
    attempt_record,
    entry_key,
    finished_record,
    made_mark,
    read_journal,
)
from tests.unit.shard.stage import SHARD, Stage

NAMES = TopicNames()


def _command(action: str = "update") -> Command:
    record_id = None if action == "create" else 7
    value, headers = encode(action, record_id=record_id, data={"name": "Tideglass"}, command_id="c-1")
    record = Incoming(Position(NAMES.commands("company"), 0, 3), b"acme", value, headers, 1790000000000)
    command = decode(record, entity="company", names=NAMES, accounts=["acme"], allowed_replies=())
    assert isinstance(command, Command)
    return command


def _learn(stage: Stage, *records: Outgoing) -> None:
    stage.memory.begin()
    for record in records:
        stage.memory.learn(record)
    stage.memory.keep({})


@pytest.mark.parametrize("resume_at", [None, 0, 1_789_000_000])
async def test_a_scans_cursor_is_read_as_it_was_written(stage: Stage, resume_at: int | None) -> None:
    cursor = ScanCursor(1_790_000_000, 1_789_999_880, resume_at)
    record = scan_record(NAMES, SHARD, "acme", "company", cursor)
    assert read_scan(stage.memory.known, "acme", "company") is None
    _learn(stage, record)
    assert read_scan(stage.memory.known, "acme", "company") == cursor
    assert read_scan(stage.memory.known, "acme", "person") is None
    assert (record.topic, record.partition, record.key) == (NAMES.cursors, SHARD, b"scan/acme/company")


async def test_what_is_not_read_yet_is_followed_from_now_on(stage: Stage) -> None:
    assert following_since(stage.memory.known, "acme", "company", 1790.9) == 1790
    _learn(stage, scan_record(NAMES, SHARD, "acme", "company", ScanCursor(1234, 1, 0)))
    assert following_since(stage.memory.known, "acme", "company", 1790.9) == 1234


async def test_keys_of_scans_and_positions_cannot_be_taken_for_each_other() -> None:
    assert scan_key("acme", "company") != position_key("copper.company.commands")
    record = cursor_record(NAMES, 1, position_key("t"), {"next": 3, "finished": []})
    assert record.value == b'{"v":1,"next":3,"finished":[]}'


async def test_an_attempt_is_read_as_it_was_written(stage: Stage) -> None:
    command = _command()
    assert read_journal(stage.memory.known, command) is None
    _learn(stage, attempt_record(NAMES, SHARD, command, 1790000000.25, 1790000001.5))
    assert read_journal(stage.memory.known, command) == Attempted(
        command.fingerprint, 1790000000.25, 1790000001.5, str(command.position)
    )
    assert entry_key(command) == "acme/c-1"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(Status.SUCCEEDED, record={"id": 7, "name": "Tideglass", "custom_fields": []}, attempts=2, event_id="e"),
        Reply(Status.SUCCEEDED, records=[{"id": 7}], queued_ms=3, copper_ms=181),
        Reply(Status.SUCCEEDED, already=True),
        failed(Failure(Code.INVALID, "t", "d", {"data.name": ("too long", "odd")}, 422), attempts=1),
        Reply(Status.UNKNOWN, failure=Failure(Code.UNAVAILABLE, "t", "d", retryable=True)),
    ],
)
async def test_a_stored_answer_comes_back_whole_and_marked(stage: Stage, reply: Reply) -> None:
    command = _command()
    attempt, finished = attempt_record(NAMES, SHARD, command, 1.0, 1.0), _finished(command, reply)
    _learn(stage, attempt, finished)
    entry = read_journal(stage.memory.known, command)
    assert isinstance(entry, Finished)
    assert entry.fingerprint == command.fingerprint
    assert entry.reply.duplicate
    assert {**_told(entry.reply), "duplicate": False} == _told(reply)


async def test_an_attempt_of_an_older_bridge_can_be_read(stage: Stage) -> None:
    command = _command()
    entry = {"v": 1, "fingerprint": command.fingerprint, "state": "attempt", "before": None, "at": 7.5}
    _learn(stage, Outgoing(NAMES.journal, SHARD, entry_key(command).encode(), orjson.dumps(entry)))
    assert read_journal(stage.memory.known, command) == Attempted(command.fingerprint, 7.5, 7.5)


async def test_an_entry_is_found_by_the_record_that_its_command_created(stage: Stage) -> None:
    _learn(stage, _finished(_command("create"), Reply(Status.SUCCEEDED, record={"id": 7})))
    ((key, entry),) = stage.memory.known.marked(made_mark("acme", "company", 7))
    assert (key, entry["state"]) == ("acme/c-1", "done")
    assert stage.memory.known.marked(made_mark("acme", "company", 8)) == []


def _finished(command: Command, reply: Reply) -> Outgoing:
    return finished_record(NAMES, SHARD, command, reply, 2.0, None)


def _told(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in Reply.__dataclass_fields__}
