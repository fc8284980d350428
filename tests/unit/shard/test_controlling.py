"""Controlling: every control message is carried out once and answered, whatever it says."""

from dataclasses import replace

import orjson
import pytest

from bridge.contract.control import Asked
from bridge.contract.cursors import ScanCursor, position_key
from bridge.contract.sharding import shard_of
from bridge.shard.cursors import read_scan, read_snapshot, scan_record
from bridge.shard.ports import Draft
from tests.unit.shard.stage import ACCOUNT, EPOCH, NAMES, OTHER, PARTITIONS, SHARD, Stage

KEY = position_key(NAMES.control)


async def _followed(stage: Stage, *entities: str, resume_at: int | None = None) -> None:
    """Let the first snapshots be done, or under way."""

    def write(draft: Draft) -> None:
        for entity in entities:
            draft.add(scan_record(NAMES, SHARD, ACCOUNT, entity, ScanCursor(1, 1, resume_at)))

    async with stage.at_work():
        await stage.ledger.commit(write)


async def _answered(stage: Stage, *entities: str, finished: int = 1) -> list[tuple[str, str]]:
    """Type and reason of every answer once so many messages are done with."""
    async with stage.at_work(stage.controlling(*entities)):
        await stage.until(lambda: (stage.cursor(KEY) or {"next": 0})["next"] >= finished)
    return [(told["type"], told["data"].get("reason", "")) for told in stage.announced()]


async def test_a_snapshot_is_asked_of_one_entity_and_its_flow_is_woken(stage: Stage) -> None:
    await _followed(stage, "lead")
    stage.ask(Asked.SNAPSHOT, "lead", name="mine")
    assert await _answered(stage) == [("control.accepted", "")]
    cursor = read_snapshot(stage.memory.known, ACCOUNT, "lead")
    assert cursor is not None
    assert (cursor.control_id, cursor.resume_at) == ("mine", 0)
    assert stage.snapshot_asked.is_set()


async def test_a_snapshot_of_everything_is_of_every_entity_that_is_followed(stage: Stage) -> None:
    await _followed(stage, "lead", "task")
    stage.ask(Asked.SNAPSHOT)
    assert await _answered(stage, "lead", "task") == [("control.accepted", "")]
    assert all(read_snapshot(stage.memory.known, ACCOUNT, each) for each in ("lead", "task"))
    assert stage.announced()[0]["data"] == {"asked": "snapshot", "entities": ["lead", "task"]}


async def test_a_snapshot_is_refused_while_another_is_being_taken(stage: Stage) -> None:
    await _followed(stage, "lead")
    stage.ask(Asked.SNAPSHOT, "lead", name="one")
    stage.ask(Asked.SNAPSHOT, "lead", name="two")
    assert (await _answered(stage, finished=2))[1] == (
        "control.refused",
        "a snapshot of lead is being taken already, for one",
    )


async def test_a_snapshot_is_refused_before_the_first_one_is_done(stage: Stage) -> None:
    await _followed(stage, "lead", resume_at=7)
    stage.ask(Asked.SNAPSHOT, "lead")
    assert await _answered(stage) == [("control.refused", "the first snapshot of lead is still being taken")]


@pytest.mark.parametrize("asked", [Asked.SNAPSHOT, Asked.SWEEP])
async def test_an_entity_that_is_not_followed_is_refused(stage: Stage, asked: Asked) -> None:
    stage.ask(asked, "task")
    assert await _answered(stage, "lead") == [("control.refused", "events.task.enabled is false: it is not followed")]


async def test_a_sweep_is_refused_while_one_is_under_way(stage: Stage) -> None:
    stage.ask(Asked.SWEEP)
    stage.ask(Asked.SWEEP)
    assert (await _answered(stage, finished=2))[1] == ("control.refused", "a sweep is under way already")
    assert stage.sweep_asked.is_set()


@pytest.mark.parametrize("asked", [Asked.APPROVE_DELETES, Asked.REJECT_DELETES])
async def test_a_decision_is_refused_when_there_is_nothing_to_decide(stage: Stage, asked: Asked) -> None:
    stage.ask(asked)
    assert await _answered(stage) == [("control.refused", "no deletes of this account are held back")]


async def test_a_cursor_is_set_back_and_told_from_where_to_where(stage: Stage) -> None:
    scan = ScanCursor(EPOCH, EPOCH + 600, None, 7, 2)

    def write(draft: Draft) -> None:
        draft.add(scan_record(NAMES, SHARD, ACCOUNT, "lead", scan))

    async with stage.at_work():
        await stage.ledger.commit(write)
    stage.ask(Asked.SET_CURSOR, "lead", to="2026-09-21T14:15:00.9Z")
    assert await _answered(stage) == [("control.accepted", "")]
    assert read_scan(stage.memory.known, ACCOUNT, "lead") == replace(scan, lower=EPOCH + 100)
    assert stage.announced()[0]["data"] == {
        "asked": "set-cursor",
        "from": "2026-09-21T14:23:20Z",
        "to": "2026-09-21T14:15:00Z",
        "records": 0,
    }


@pytest.mark.parametrize(
    ("entity", "resume_at", "to", "reason"),
    [
        ("lead", None, "1970-01-01T00:00:02Z", "modified from 1970-01-01T00:00:01Z on has not been read yet"),
        ("lead", 7, "1970-01-01T00:00:00Z", "the first snapshot of lead is still being taken"),
        ("task", None, "1970-01-01T00:00:00Z", "events.task.enabled is false"),
    ],
)
async def test_a_cursor_is_not_set_where_something_would_be_lost(
    stage: Stage, entity: str, resume_at: int | None, to: str, reason: str
) -> None:
    await _followed(stage, "lead", resume_at=resume_at)
    before = read_scan(stage.memory.known, ACCOUNT, "lead")
    stage.ask(Asked.SET_CURSOR, entity, to=to)
    ((told, why),) = await _answered(stage, "lead")
    assert (told, reason in why) == ("control.refused", True)
    assert read_scan(stage.memory.known, ACCOUNT, "lead") == before


async def test_what_is_no_control_message_is_answered_and_passed_over(stage: Stage) -> None:
    stage.put(NAMES.control, b"\xff")
    stage.put(NAMES.control, None)
    stage.ask(Asked.SWEEP)
    kinds = [kind for kind, _ in await _answered(stage, finished=3)]
    assert kinds == ["control.refused", "control.refused", "control.accepted"]


async def test_a_message_in_another_accounts_shard_goes_there_with_its_identity(stage: Stage) -> None:
    assert shard_of(OTHER, PARTITIONS) != SHARD
    place = stage.put(NAMES.control, orjson.dumps({"type": "sweep", "account": OTHER}))
    assert await _answered(stage) == []
    (moved,) = stage.log.of(NAMES.control, shard_of(OTHER, PARTITIONS))
    assert orjson.loads(moved.value or b"") == {"id": str(place), "type": "sweep", "account": OTHER}


async def test_a_message_is_carried_out_once_over_a_restart(stage: Stage) -> None:
    stage.ask(Asked.SWEEP)
    await _answered(stage)
    await _answered(stage)
    assert len(stage.announced()) == 1
