"""Commands in doubt, from their topics to their replies. Copper, Kafka and the clock are in memory."""

import asyncio
from typing import Any

import pytest

from bridge.contract.commands import Command, decode
from bridge.contract.records import Position
from bridge.contract.signing import SigningKeys
from bridge.policy.settling import Look
from bridge.policy.sightings import Trouble, Why
from bridge.shard.journal import attempt_record
from tests.unit.shard.commanding import answers, loop_time
from tests.unit.shard.copper import IN_DOUBT, after, instead
from tests.unit.shard.stage import ACCOUNT, EPOCH, NAMES, SHARD, WAITS, Stage

RATE_LIMITED = Trouble(Why.RATE_LIMITED, "Too many requests", 429)


async def test_a_doubtful_update_that_was_applied_succeeds_without_a_second_call(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(after(IN_DOUBT))
    (reply,) = await answers(stage, {"action": "update", "record_id": 7, "data": {"name": "New"}})
    assert (reply.status, reply.value["record"]["name"], reply.value["attempts"]) == ("succeeded", "New", 1)
    (called,), (looked,) = stage.copper.made("execute"), stage.copper.made("get")
    assert looked.at - called.at == pytest.approx(2.0 + WAITS.timeout + WAITS.lateness)
    assert len(stage.copper.effects) == 1


async def test_a_doubtful_update_that_was_not_applied_is_sent_again(stage: Stage) -> None:
    replies = await answers(stage, {"action": "create", "data": {"name": "Tideglass"}})
    assert replies
    stage.copper.script["execute"].append(instead(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=1001, data={"name": "New"}, command_id="u-1")
        await stage.until(lambda: len(stage.replied()) == 2)
    reply = stage.replied()[1]
    assert (reply.status, reply.value["attempts"]) == ("succeeded", 2)
    assert [effect for effect, *_ in stage.copper.effects] == ["create", "update"]
    assert len(stage.events("updated")) == 1


async def test_a_doubtful_update_of_what_somebody_else_has_changed_since_is_unknown(stage: Stage) -> None:
    await answers(stage, {"action": "create", "data": {"name": "Tideglass"}})
    stage.copper.script["execute"].append(instead(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=1001, data={"name": "New"})
        await stage.until(lambda: len(stage.called("execute")) == 2)
        await asyncio.sleep(10)
        stage.copper.keep("company", 1001, name="Somebody else's")
        await stage.until(lambda: len(stage.replied()) == 2)
    assert (stage.replied()[1].status, stage.replied()[1].value["attempts"]) == ("unknown", 1)


async def test_a_doubtful_delete_is_settled_by_looking(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.keep("company", 8, name="Bluewater")
    stage.copper.script["execute"].extend([after(IN_DOUBT), instead(IN_DOUBT)])
    replies = await answers(stage, {"action": "delete", "record_id": 7}, {"action": "delete", "record_id": 8})
    by_offset = sorted(replies, key=lambda reply: reply.offset)
    assert [(reply.status, reply.value["attempts"]) for reply in by_offset] == [("succeeded", 1), ("succeeded", 2)]
    assert stage.copper.records == {}


@pytest.mark.parametrize("answer", [after(IN_DOUBT), instead(IN_DOUBT), after(Trouble(Why.UNREADABLE, "HTML", 200))])
async def test_a_doubtful_create_has_one_effect_and_its_repetition_waits_for_its_answer(
    stage: Stage, answer: Any
) -> None:
    stage.copper.script["execute"].append(answer)
    asked = {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"}
    first, second = await answers(stage, asked, asked)
    assert (first.status, second.status, second.value["duplicate"]) == ("succeeded", "succeeded", True)
    assert first.value["record"]["id"] == second.value["record"]["id"] == 1001
    assert stage.copper.effects == [("create", "company", 1001)]
    assert first.at - EPOCH >= WAITS.before(Look.CREATED)


async def test_creates_of_the_same_content_are_told_apart_even_when_in_doubt(stage: Stage) -> None:
    stage.copper.script["execute"].extend([after(IN_DOUBT), instead(IN_DOUBT), after(IN_DOUBT)])
    asked = {"action": "create", "data": {"name": "Tideglass"}}
    replies = await answers(stage, asked, asked)
    assert [reply.value["record"]["id"] for reply in replies] == [1001, 1002]
    assert len(stage.copper.effects) == 2


async def test_a_lead_with_a_key_field_is_created_by_an_upsert_on_its_key(stage: Stage) -> None:
    stage.key_fields = {"lead": 501}
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("create", entity="lead", data={"name": "Ivo"})
        await stage.until(lambda: stage.replied("lead"))
    (sent,) = stage.called("execute")
    assert (sent.action, sent.match["field"], sent.data["custom_fields"]) == ("upsert", "custom", [sent.match["value"]])
    assert (stage.replied("lead")[0].status, len(stage.copper.records)) == ("succeeded", 1)


async def test_a_twin_that_a_repeated_create_is_refused_for_is_its_own_when_it_is_as_asked(stage: Stage) -> None:
    data = {"name": "Mara", "emails": [{"email": "mara@b.example"}]}
    stage.copper.script["execute"].append(instead(IN_DOUBT))

    def landed_late(honest: Any) -> Any:
        """The first request lands now, longer after its time-out than any should."""
        honest()
        return honest()

    stage.copper.script["execute"].append(landed_late)
    async with stage.at_work(stage.executing()):
        stage.send("create", entity="person", data=data)
        await stage.until(lambda: stage.replied("person"))
    assert (stage.replied("person")[0].status, len(stage.copper.effects)) == ("succeeded", 1)


async def test_a_create_that_cannot_be_settled_is_unknown_and_says_which_records_to_look_at(stage: Stage) -> None:
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("create", data={"name": "Tideglass"})
        await stage.until(lambda: stage.copper.effects)
        stage.copper.keep("company", 77, name="Tideglass")
        await stage.until(stage.replied)
    (reply,) = stage.replied()
    assert reply.status == "unknown"
    assert "1001" in reply.value["error"]["detail"]
    assert "77" in reply.value["error"]["detail"]


async def test_a_look_that_copper_refuses_leaves_the_call_undecided(stage: Stage) -> None:
    stage.key_fields = {"task": 501}
    stage.copper.script["execute"].append(after(IN_DOUBT))
    stage.copper.script["find"].append(instead(Trouble(Why.INVALID, "Custom field is not filterable", 422)))
    async with stage.at_work(stage.executing()):
        stage.send("create", entity="task", data={"name": "Call Mara"})
        await stage.until(lambda: stage.replied("task"))
    assert (stage.replied("task")[0].status, len(stage.copper.effects)) == ("unknown", 1)


async def test_an_activity_in_doubt_is_looked_for_under_its_parent(stage: Stage) -> None:
    stage.copper.script["execute"].append(after(IN_DOUBT))
    data = {"type": {"category": "user", "id": 0}, "parent": {"type": "company", "id": 7}, "details": "Called"}
    async with stage.at_work(stage.executing()):
        stage.send("create", entity="activity", data=data)
        await stage.until(lambda: stage.replied("activity"))
    assert stage.called("activities") == [data["parent"]]
    assert (stage.replied("activity")[0].status, len(stage.copper.effects)) == ("succeeded", 1)


async def test_a_doubtful_upsert_waits_for_the_search_index_too(stage: Stage) -> None:
    stage.copper.script["execute"].append(after(IN_DOUBT))
    match = {"field": "email", "value": "a@b.example"}
    async with stage.at_work(stage.executing()):
        stage.send("upsert", entity="lead", data={"name": "A"}, match=match)
        await stage.until(lambda: stage.replied("lead"))
    called, looked = stage.copper.made("execute")[0], stage.copper.made("find")[0]
    assert looked.at - called.at == pytest.approx(2.0 + WAITS.timeout + WAITS.lateness + WAITS.index_lag)
    assert stage.replied("lead")[0].status == "succeeded"


async def test_a_doubtful_convert_of_a_lead_that_is_gone_is_unknown(stage: Stage) -> None:
    stage.copper.keep("lead", 7, name="A lead")
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("convert", entity="lead", record_id=7)
        await stage.until(lambda: stage.replied("lead"))
    assert stage.replied("lead")[0].status == "unknown"
    assert len(stage.copper.effects) == 1


async def test_a_write_that_never_takes_effect_is_given_up_after_five_calls(stage: Stage) -> None:
    await answers(stage, {"action": "create", "data": {"name": "Tideglass"}})
    stage.copper.script["execute"].extend([instead(IN_DOUBT)] * 9)
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=1001, data={"name": "New"})
        await stage.until(lambda: len(stage.replied()) == 2)
    assert (stage.replied()[1].code, stage.replied()[1].value["attempts"]) == ("unavailable", 5)


async def test_looking_goes_on_while_copper_gives_no_answer(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(after(IN_DOUBT))
    stage.copper.script["get"].extend([instead(RATE_LIMITED), instead(IN_DOUBT)])
    (reply,) = await answers(stage, {"action": "update", "record_id": 7, "data": {"name": "New"}})
    assert reply.status == "succeeded"
    assert len(stage.called("get")) == 3


@pytest.mark.parametrize(
    ("action", "entity", "look", "wait"),
    [
        ({"action": "update", "record_id": 7, "data": {"name": "New"}}, "lead", "get", 82.0),
        ({"action": "delete", "record_id": 7}, "lead", "get", 82.0),
        (
            {"action": "upsert", "data": {"name": "New"}, "match": {"field": "email", "value": "a@b.example"}},
            "lead",
            "find",
            202.0,
        ),
    ],
)
async def test_an_attempt_found_in_the_journal_is_looked_for_only_when_the_truth_shows(
    stage: Stage, action: dict[str, Any], entity: str, look: str, wait: float
) -> None:
    """The predecessor's call may go out until we fenced it, and take effect as late as any call may after that."""
    stage.copper.keep(entity, 7, name="New", email={"email": "a@b.example"})
    _attempted(stage, stage.send(**action, entity=entity, command_id="c-1"))
    await asyncio.sleep(5)
    fenced_at = loop_time()
    await asyncio.sleep(3)
    async with stage.at_work(stage.executing(fenced_at=fenced_at)):
        await stage.until(lambda: stage.replied(entity))
    assert stage.copper.made(look)[0].at - fenced_at == pytest.approx(wait)
    assert stage.replied(entity)[0].status == "succeeded"
    assert [each.at > fenced_at + wait for each in stage.copper.made("execute")] == [True] * (
        action["action"] == "delete"
    )


async def test_a_create_found_attempted_in_the_journal_is_sent_when_nothing_was_created(stage: Stage) -> None:
    _attempted(stage, stage.send("create", data={"name": "Tideglass"}, command_id="c-1"))
    async with stage.at_work(stage.executing()):
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, len(stage.copper.effects)) == ("succeeded", 1)
    assert stage.copper.made("execute")[0].at - stage.copper.made("search")[0].at > 0


def _attempted(stage: Stage, position: Position) -> None:
    """Leave an attempt of a command in the journal, as a process does that dies then."""
    (record,) = [each for each in stage.log.of(position.topic) if each.position == position]
    entity = position.topic.split(".")[1]
    command = decode(record, entity=entity, names=NAMES, accounts=[ACCOUNT], allowed_replies=())
    assert isinstance(command, Command)
    stage.memory.begin()
    stage.memory.learn(attempt_record(NAMES, SHARD, command, stage.clock(), stage.clock()))
    stage.memory.keep({})


async def test_what_was_attempted_and_is_refused_after_a_restart_is_unknown_until_it_is_let_through(
    stage: Stage,
) -> None:
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()) as stop:
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(lambda: stage.copper.effects)
        stop.set()
    async with stage.at_work(stage.executing(keys=SigningKeys({"shop": b"secret"}))):
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 2)
    told = {reply.offset: (reply.status, reply.code) for reply in stage.replied()}
    assert told == {0: ("unknown", "unavailable"), 1: ("failed", "forbidden")}
    async with stage.at_work(stage.executing()):
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 3)
    assert (stage.replied()[2].status, len(stage.copper.effects)) == ("succeeded", 1)
