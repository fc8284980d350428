"""Commands by name, from their topic to their reply: what is asked of Copper for it, and how often."""

import asyncio
from typing import Any

import pytest

from bridge.contract.commands import Command, decode
from bridge.contract.records import Position
from bridge.policy.matching import Named
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.shard.journal import attempt_record
from bridge.shard.naming import BETWEEN_SECONDS, FRESH_SECONDS
from tests.unit.shard.copper import CALL_SECONDS, IN_DOUBT, after, instead
from tests.unit.shard.stage import ACCOUNT, NAMES, SHARD, Answered, Stage

ANN, BO = Named(41, "Ann Lee", "ann@x.example"), Named(42, "Bo Berg", "bo@x.example")
FORBIDDEN = Trouble(Why.FORBIDDEN, "not allowed", 403)


@pytest.fixture(autouse=True)
def furnished(stage: Stage) -> None:
    stage.copper.reference_data |= {"users": [ANN], "contact_types": [Named(61, "Customer")]}


async def _create(stage: Stage, **data: Any) -> Answered:
    """The answer to a create of a company with that data; a shard is at work."""
    before = len(stage.replied())
    stage.send("create", data={"name": "Tideglass", **data})
    await stage.until(lambda: len(stage.replied()) > before)
    return stage.replied()[-1]


def _now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_command_by_name_is_carried_out_by_id_and_a_list_is_asked_for_once(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        replies = [await _create(stage, assignee="ann@x.example") for _ in range(3)]
    assert [reply.status for reply in replies] == ["succeeded"] * 3
    assert [call.data for call in stage.called("execute")] == [{"name": "Tideglass", "assignee_id": 41}] * 3
    assert [(call.about, call.lane) for call in stage.copper.made("reference")] == [("users", Lane.COMMANDS)]
    assert replies[0].value["attempts"] == 1


async def test_a_command_without_names_costs_no_call_for_them(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        await _create(stage, assignee_id=41, custom_fields=[{"custom_field_definition_id": 1, "value": "x"}])
    assert stage.called("reference") == []


async def test_the_same_command_again_is_answered_without_looking_its_names_up(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        stage.send("create", data={"name": "x", "assignee": "Ann Lee"}, command_id="c-1")
        await stage.until(stage.replied)
        stage.copper.reference_data["users"] = []
        await asyncio.sleep(FRESH_SECONDS + 1)
        stage.send("create", data={"name": "x", "assignee": "Ann Lee"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 2)
    assert [reply.value["duplicate"] for reply in stage.replied()] == [False, True]
    assert stage.called("reference") == ["users"]


async def test_somebody_new_is_found_by_looking_again(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        await _create(stage, assignee="Ann Lee")
        await asyncio.sleep(BETWEEN_SECONDS)
        stage.copper.reference_data["users"] = [ANN, BO]
        reply = await _create(stage, assignee="Bo Berg")
    assert (reply.status, reply.value["record"]["assignee_id"]) == ("succeeded", 42)
    assert stage.called("reference") == ["users", "users"]


async def test_a_name_that_nobody_has_is_invalid_with_those_that_there_are_and_nothing_is_done(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        reply = await _create(stage, assignee="Anne Lee", contact_type="Customer")
    error = reply.value["error"]
    assert (reply.status, reply.code, error["http_status"], reply.value["attempts"]) == ("failed", "invalid", None, 0)
    assert error["fields"] == {"data.assignee": ['no such user; there is "Ann Lee"']}
    assert stage.called("execute") == []
    assert [state for _, state in stage.journal()] == ["done"]
    assert stage.buried == []


async def test_a_name_is_held_to_be_wrong_only_by_a_list_that_is_newer_than_the_command(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        await _create(stage, assignee="Ann Lee")
        asked = stage.copper.made("reference")[0].at
        stage.send("create", data={"name": "x", "assignee": "Bo Berg"})
        await asyncio.sleep(1)
        stage.copper.reference_data["users"] = [ANN, BO]
        await stage.until(lambda: len(stage.replied()) == 2)
    assert stage.replied()[1].value["record"]["assignee_id"] == 42
    assert stage.copper.made("reference")[1].at == pytest.approx(asked + BETWEEN_SECONDS)


async def test_a_flood_of_misspelt_names_costs_a_call_in_ten_seconds_and_holds_up_nobody_who_spells(
    stage: Stage,
) -> None:
    async with stage.at_work(stage.executing()):
        await _create(stage, assignee="Ann Lee")
        began = _now()
        for number in range(600):
            stage.send("create", data={"name": "x", "assignee": f"Nobody {number}"})
            await asyncio.sleep(0.1)
        await _create(stage, assignee="Ann Lee")
        assert stage.replied()[-1].status == "succeeded"
        assert _now() - began < 60 + 2 * CALL_SECONDS
        await stage.until(lambda: len(stage.replied()) == 602)
    calls = [call.at for call in stage.copper.made("reference")]
    assert len(calls) <= 2 + 60 / BETWEEN_SECONDS
    assert [reply.code for reply in stage.replied()].count("invalid") == 600


async def test_a_list_is_used_for_five_minutes(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        await _create(stage, assignee="Ann Lee")
        stage.copper.reference_data["users"] = [Named(49, "Ann Lee")]
        await asyncio.sleep(FRESH_SECONDS - 10)
        await _create(stage, assignee="Ann Lee")
        await asyncio.sleep(20)
        await _create(stage, assignee="Ann Lee")
    assert [call.data["assignee_id"] for call in stage.called("execute")] == [41, 41, 49]


async def test_commands_that_come_at_once_share_one_look(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        for _ in range(20):
            stage.send("create", data={"name": "x", "assignee": "Ann Lee"})
        await stage.until(lambda: len(stage.replied()) == 20)
    assert stage.called("reference") == ["users"]


@pytest.mark.parametrize("why", [Why.RATE_LIMITED, Why.NOT_SENT, Why.UNAUTHORIZED, Why.IN_DOUBT])
async def test_a_list_that_the_world_keeps_from_us_is_asked_for_again(stage: Stage, why: Why) -> None:
    stage.copper.script["reference"].extend([instead(Trouble(why, "not now"))] * 3)
    async with stage.at_work(stage.executing()):
        reply = await _create(stage, assignee="Ann Lee")
    assert (reply.status, len(stage.called("reference"))) == ("succeeded", 4)


async def test_a_list_that_the_user_may_not_see_ends_the_command_and_is_not_asked_for_all_the_time(
    stage: Stage,
) -> None:
    stage.copper.script["reference"].append(instead(FORBIDDEN))
    async with stage.at_work(stage.executing()):
        for _ in range(50):
            stage.send("create", data={"name": "x", "assignee": "Ann Lee"})
        await stage.until(lambda: len(stage.replied()) == 50)
        assert {reply.code for reply in stage.replied()} == {"forbidden"}
        assert stage.replied()[0].value["error"]["detail"].startswith("no names can be resolved by users: ")
        assert stage.called("reference") == ["users"]
        await asyncio.sleep(BETWEEN_SECONDS)
        assert (await _create(stage, assignee="Ann Lee")).status == "succeeded"


async def test_a_deadline_ends_the_wait_for_names(stage: Stage) -> None:
    stage.copper.script["reference"].extend([instead(Trouble(Why.NOT_SENT, "no connection"))] * 50)
    async with stage.at_work(stage.executing()):
        began = _now()
        stage.send("create", data={"name": "x", "assignee": "Ann Lee"}, deadline=stage.clock() + 7)
        await stage.until(stage.replied)
        assert _now() - began == pytest.approx(7, abs=1)
    assert (stage.replied()[0].status, stage.replied()[0].code) == ("expired", "would-expire")
    assert stage.called("execute") == []


async def test_what_is_expected_is_compared_by_id(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="x", assignee_id=41)
    stage.copper.reference_data["users"].append(BO)
    async with stage.at_work(stage.executing()):
        for name in ("Ann Lee", "Bo Berg"):
            stage.send("update", record_id=7, data={"name": "y"}, expect={"assignee": name})
        await stage.until(lambda: len(stage.replied()) == 2)
    assert [reply.code for reply in stage.replied()] == [None, "expectation-failed"]


async def test_a_doubtful_update_is_settled_by_what_its_names_stood_for(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="x")
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=7, data={"assignee": "Ann Lee"})
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, len(stage.called("execute"))) == ("succeeded", 1)


def _attempted(stage: Stage, position: Position) -> None:
    """Leave an attempt of a command in the journal, as a process does that dies then."""
    (record,) = stage.log.of(position.topic)
    command = decode(record, entity="company", names=NAMES, accounts=[ACCOUNT], allowed_replies=())
    assert isinstance(command, Command)
    stage.memory.begin()
    stage.memory.learn(attempt_record(NAMES, SHARD, command, stage.clock(), stage.clock()))
    stage.memory.keep({})


@pytest.mark.parametrize(("users", "status"), [([ANN], "succeeded"), ([], "unknown")])
async def test_after_a_crash_names_are_looked_up_anew_and_an_attempt_never_ends_in_invalid(
    stage: Stage, users: list[Named], status: str
) -> None:
    stage.copper.keep("company", 7, name="x", assignee_id=41)
    stage.copper.reference_data["users"] = users
    _attempted(stage, stage.send("update", record_id=7, data={"assignee": "Ann Lee"}, command_id="c-1"))
    async with stage.at_work(stage.executing()):
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, stage.called("execute")) == (status, [])
