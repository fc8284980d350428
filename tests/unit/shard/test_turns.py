"""Whose turn it is when commands back up. Copper, Kafka and the clock are in memory."""

import asyncio

import pytest

from bridge.policy.sightings import Lane
from bridge.shard.turns import Turns
from tests.unit.shard.copper import CALL_SECONDS
from tests.unit.shard.stage import EPOCH, Stage

BACKLOG = 800
CALL = 0.1
"""Seconds that a turn is held."""


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


async def _take(turns: Turns, lane: Lane, kind: str, within: float = 1e9) -> bool:
    async with turns.turn(lane, kind, within) as ours:
        if ours:
            await asyncio.sleep(CALL)
        return ours


async def test_whoever_does_not_get_a_place_in_time_is_told_and_holds_up_nobody() -> None:
    turns, began = Turns(1), _loop_time()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_take(turns, Lane.BULK, "company"))
        late = group.create_task(_take(turns, Lane.BULK, "company", CALL / 2))
        last = group.create_task(_take(turns, Lane.BULK, "company"))
    assert (first.result(), late.result(), last.result()) == (True, False, True)
    assert _loop_time() - began == pytest.approx(2 * CALL)


@pytest.mark.parametrize("holding", [True, False])
async def test_a_place_outlives_the_cancellation_of_whoever_has_it_or_is_about_to(holding: bool) -> None:
    turns = Turns(1)
    first = asyncio.create_task(_take(turns, Lane.BULK, "company"))
    second = asyncio.create_task(_take(turns, Lane.BULK, "company"))
    await asyncio.sleep(CALL / 2)
    if holding:
        first.cancel()
    else:  # in the very turn of the loop in which the place is handed on
        first.add_done_callback(lambda _: second.cancel())
    await asyncio.wait([first, second])
    async with asyncio.timeout(CALL * 2):
        assert await _take(turns, Lane.BULK, "company")


async def test_all_calls_that_a_bulk_command_makes_are_made_in_its_lane(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=7, data={"name": "T"}, expect={"name": "Tideglass"}, lane="bulk")
        await stage.until(stage.replied)
    assert [(call.method, call.lane) for call in stage.copper.calls] == [("get", Lane.BULK), ("execute", Lane.BULK)]
    assert stage.copper.admitted == [(Lane.BULK, "company")]


async def test_a_backlog_of_bulk_does_not_hold_up_an_interactive_command(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        for number in range(BACKLOG):
            stage.send("get", record_id=number + 1, lane="bulk")
        await stage.until(lambda: len(stage.replied()) >= 20)
        began = _loop_time()
        stage.send("create", entity="lead", data={"name": "now"})
        await stage.until(lambda: stage.replied("lead"))
        assert _loop_time() - began < 2 * CALL_SECONDS
        assert len(stage.replied()) < BACKLOG / 2


async def test_a_flood_on_one_topic_holds_up_another_by_no_more_than_a_turn(stage: Stage) -> None:
    async with stage.at_work(stage.executing(at_once=4)):
        for number in range(BACKLOG):
            stage.send("get", record_id=number + 1)
        await stage.until(lambda: len(stage.replied()) >= 20)
        began = _loop_time()
        stage.send("create", entity="lead", data={"name": "now"})
        await stage.until(lambda: stage.replied("lead"))
        assert _loop_time() - began < 3 * CALL_SECONDS


async def test_a_flood_of_interactive_commands_leaves_bulk_a_tenth(stage: Stage) -> None:
    async with stage.at_work(stage.executing(at_once=4)):
        for number in range(BACKLOG):
            stage.send("get", record_id=number + 1)
            stage.send("get", entity="lead", record_id=number + 1, lane="bulk")
        await stage.until(lambda: len(stage.replied()) >= BACKLOG / 2)
        bulk = len(stage.replied("lead"))
    assert BACKLOG / 2 / 9 * 0.8 <= bulk <= BACKLOG / 2 / 9 * 1.2


async def test_what_cannot_be_called_before_its_deadline_is_answered_at_once(stage: Stage) -> None:
    stage.copper.pace = 1.0
    async with stage.at_work(stage.executing(at_once=1)):
        for number in range(20):
            stage.send("get", record_id=number + 1)
        await stage.until(lambda: stage.copper.made("execute"))
        stage.send("create", data={"name": "late"}, deadline=stage.clock() + 18.5, command_id="late")
        stage.send("create", data={"name": "in time"}, deadline=stage.clock() + 19.5)
        stage.send("get", entity="lead", record_id=1, deadline=stage.clock() + 5.0)
        await stage.until(lambda: len(stage.replied()) == 22)
    late, in_time = sorted(stage.replied(), key=lambda each: each.offset)[-2:]
    assert (late.status, late.code) == ("expired", "would-expire")
    assert late.at < EPOCH + 2.0
    assert late.value["error"]["detail"].startswith("19 commands of the account come first")
    assert in_time.status == "succeeded"
    assert [reply.status for reply in stage.replied("lead")] == ["failed"]


async def test_a_command_that_waits_for_its_turn_is_answered_when_its_deadline_passes(stage: Stage) -> None:
    async with stage.at_work(stage.executing(at_once=1)):
        stage.copper.admitting.append(100.0)
        stage.send("get", record_id=1)
        await asyncio.sleep(1)
        stage.send("create", data={"name": "late"}, deadline=EPOCH + 30.0)
        await stage.until(stage.replied)
    (reply,) = stage.replied()
    assert (reply.status, reply.code) == ("expired", "would-expire")
    assert reply.at == pytest.approx(EPOCH + 30.0, abs=1)
    assert stage.copper.effects == []
