"""Commands from their topics to their replies. Copper, Kafka and the clock are in memory."""

import asyncio
from itertools import pairwise
from typing import Any

import orjson
import pytest

from bridge.contract.commands import encode
from bridge.contract.cursors import position_key
from bridge.contract.failures import Code
from bridge.contract.headers import FORWARDED
from bridge.contract.records import LARGEST_RECORD
from bridge.contract.sharding import shard_of
from bridge.policy.permissions import Permissions
from bridge.policy.sightings import Trouble, Why
from bridge.shard import executing as flow
from bridge.shard.ports import Copper, Intake, Ledger, Replies
from tests.unit.shard.commanding import TOPIC, answers, journaled, loop_time
from tests.unit.shard.copper import CALL_SECONDS, GONE, IN_DOUBT, after, instead, raising
from tests.unit.shard.log import COMMIT_SECONDS, RepliesInMemory
from tests.unit.shard.stage import EPOCH, NAMES, SHARD, Stage

RATE_LIMITED = Trouble(Why.RATE_LIMITED, "Too many requests", 429)


async def test_the_fakes_pass_as_the_ports_they_stand_for(stage: Stage) -> None:
    ports: tuple[Copper, Ledger, Intake, Replies] = (stage.copper, stage.ledger, stage.intake, stage.replies)
    assert len(ports) == 4


# ---------------------------------------------------------------------------------------------------- one command


async def test_a_create_is_answered_with_the_record_and_its_event_in_one_transaction(stage: Stage) -> None:
    (reply,) = await answers(stage, {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"})
    assert reply.status == "succeeded"
    assert reply.value["record"]["name"] == "Tideglass"
    assert reply.value["attempts"] == 1
    assert reply.value["timing"]["copper_ms"] == CALL_SECONDS * 1000
    (event,) = stage.events("created")
    assert (event["op"], event["after"]) == ("c", reply.value["record"])
    *_, last = stage.log.transactions
    assert {record.position.topic for record in last} == {
        NAMES.replies("company"), NAMES.journal, NAMES.cursors, NAMES.state("company"),
        *(NAMES.event("company", kind) for kind in ("created", "upserted", "changes")),
    }  # fmt: skip
    created = stage.log.of(NAMES.event("company", "created"))[0]
    assert created.header("ce_causationid") == b"c-1"
    assert reply.value["event_id"] == (created.header("ce_id") or b"").decode()


async def test_an_attempt_is_in_the_journal_before_the_call_and_the_result_after(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(lambda: stage.called("execute"))
        assert stage.journal() == [("c-1", "attempt")]
        await stage.until(stage.replied)
    assert stage.journal() == [("c-1", "attempt"), ("c-1", "done")]


@pytest.mark.parametrize("command_id", [None, "r-1"])
async def test_a_read_is_never_attempted_in_the_journal(stage: Stage, command_id: str | None) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    (reply,) = await answers(stage, {"action": "get", "record_id": 7, "command_id": command_id})
    assert reply.value["record"]["name"] == "Tideglass"
    assert stage.journal() == ([] if command_id is None else [("r-1", "done")])
    assert stage.events() == []


async def test_an_update_publishes_what_differs_from_what_was_known(stage: Stage) -> None:
    await answers(stage, {"action": "create", "data": {"name": "Tideglass"}})
    async with stage.at_work(stage.executing()):
        await asyncio.sleep(60)
        stage.send("update", record_id=1001, data={"name": "Tideglass Ltd"})
        await stage.until(lambda: len(stage.replied()) == 2)
    (event,) = stage.events("updated")
    assert (event["before"]["name"], event["after"]["name"], event["changed"]) == (
        "Tideglass",
        "Tideglass Ltd",
        ["name"],
    )


async def test_a_delete_publishes_the_record_as_last_seen_even_if_it_was_never_seen(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="never seen")
    replies = await answers(
        stage, {"action": "create", "data": {"name": "Tideglass"}}, {"action": "delete", "record_id": 7}
    )
    async with stage.at_work(stage.executing()):
        stage.send("delete", record_id=1001)
        await stage.until(lambda: len(stage.replied()) == 3)
    assert [reply.status for reply in replies] == ["succeeded", "succeeded"]
    events = {event["source"]["id"]: event for event in stage.events("deleted")}
    assert events[1001]["before"]["name"] == "Tideglass"
    assert events[7]["before"] == {"id": 7}
    assert events[7]["source"]["seen"] is False


async def test_deleting_what_is_gone_succeeds_already_and_invents_no_event(stage: Stage) -> None:
    (reply,) = await answers(stage, {"action": "delete", "record_id": 7})
    assert (reply.status, reply.value["already"]) == ("succeeded", True)
    assert stage.events("deleted") == []


async def test_deletes_can_be_switched_off(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    async with stage.at_work(stage.executing(permissions=Permissions(deletes=False))):
        stage.send("delete", record_id=7)
        await stage.until(stage.replied)
    assert (stage.replied()[0].code, stage.called("execute")) == ("forbidden", [])


async def test_a_convert_publishes_the_lead_as_deleted_and_what_it_became_as_created(stage: Stage) -> None:
    stage.copper.keep("lead", 7, name="A lead", email={"email": "a@b.example"})
    async with stage.at_work(stage.executing()):
        stage.send("convert", entity="lead", record_id=7)
        await stage.until(lambda: stage.replied("lead"))
    assert stage.replied("lead")[0].status == "succeeded"
    assert [event["source"]["id"] for event in stage.events("deleted", "lead")] == [7]
    assert [event["after"]["name"] for event in stage.events("created", "person")] == ["Converted"]


async def test_what_a_caller_expects_is_compared_before_the_call(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    asked = {"action": "update", "record_id": 7, "data": {"name": "New"}}
    replies = await answers(
        stage, {**asked, "expect": {"name": "Other"}}, {**asked, "expect": {"name": "Tideglass"}},
        {**asked, "record_id": 8, "expect": {"name": "Tideglass"}},
    )  # fmt: skip
    by_offset = sorted(replies, key=lambda reply: reply.offset)
    assert [(reply.status, reply.code) for reply in by_offset] == [
        ("failed", "expectation-failed"), ("succeeded", None), ("failed", "not-found")
    ]  # fmt: skip
    assert list(by_offset[0].value["error"]["fields"]) == ["expect.name"]
    assert [effect for effect, *_ in stage.copper.effects] == ["update"]


# ------------------------------------------------------------------------------------------------------- order


async def test_commands_on_one_record_run_in_the_order_of_their_offsets(stage: Stage) -> None:
    for record_id in (7, 8):
        stage.copper.keep("company", record_id, name="at first")
    commands = [
        {"action": "update", "record_id": record_id, "data": {"name": f"version {number}"}}
        for number in range(4)
        for record_id in (7, 8)
    ]
    began = loop_time()
    await answers(stage, *commands)
    calls = stage.copper.made("execute")
    for record_id in (7, 8):
        mine = [call for call in calls if call.about.record_id == record_id]
        assert [call.about.data["name"] for call in mine] == [f"version {number}" for number in range(4)]
        for one, next_ in pairwise(mine):
            assert next_.at >= one.at + CALL_SECONDS
    assert loop_time() - began < 5 * (CALL_SECONDS + 3 * COMMIT_SECONDS)


async def test_upserts_of_one_address_run_one_after_the_other_whatever_its_case(stage: Stage) -> None:
    async with stage.at_work(stage.executing()):
        for email in ("a@b.example", "A@B.example"):
            match = {"field": "email", "value": email}
            stage.send("upsert", entity="lead", data={"name": "A", "email": {"email": email}}, match=match)
        await stage.until(lambda: len(stage.replied("lead")) == 2)
    first, second = stage.copper.made("execute")
    assert second.at >= first.at + CALL_SECONDS


async def test_an_account_never_gets_more_calls_at_once_than_it_is_allowed(stage: Stage) -> None:
    async with stage.at_work(stage.executing(at_once=3)):
        for number in range(9):
            stage.send("get", record_id=number + 1)
        await stage.until(lambda: len(stage.replied()) == 9)
    at = [call.at for call in stage.copper.made("execute")]
    for first, fourth in zip(at, at[3:], strict=False):
        assert fourth >= first + CALL_SECONDS


async def test_positions_are_kept_exactly_however_commands_end(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(instead(RATE_LIMITED))
    async with stage.at_work(stage.executing()):
        for number in range(3):
            stage.send("create", data={"name": f"Tideglass {number}"})
        await stage.until(lambda: len(stage.replied()) == 2)
        kept = stage.cursor(position_key(TOPIC))
        assert (kept["next"], kept["finished"]) == (0, [1, 2])
        assert stage.intake.shown()[TOPIC] == 0
        await stage.until(lambda: len(stage.replied()) == 3)
    kept = stage.cursor(position_key(TOPIC))
    assert (kept["next"], kept["finished"]) == (3, [])


async def test_what_was_finished_before_a_restart_is_not_done_again(stage: Stage) -> None:
    stage.copper.script["execute"].append(instead(RATE_LIMITED))
    async with stage.at_work(stage.executing()) as stop:
        for _ in range(3):
            stage.send("create", data={"name": "Tideglass"})
        await stage.until(lambda: len(stage.replied()) == 2)
        stop.set()
    assert len(stage.copper.effects) == 2
    async with stage.at_work(stage.executing()):
        await stage.until(lambda: len(stage.replied()) == 3)
    assert sorted(reply.offset for reply in stage.replied()) == [0, 1, 2]
    assert len(stage.copper.effects) == 3


async def test_what_is_taken_in_and_not_answered_is_counted_by_account(stage: Stage) -> None:
    executing = stage.executing(at_once=1)
    for _ in range(3):
        stage.send("get", record_id=7)
    async with stage.at_work(executing):
        await stage.until(lambda: stage.copper.calls)
        assert executing.waiting() == {"acme": 3}
        await stage.until(lambda: len(stage.answered) == 3)
        await asyncio.sleep(1)
        assert executing.waiting() == {}
    assert len(stage.replied()) == 3


async def test_backpressure_pauses_a_partition_and_nothing_is_lost(stage: Stage) -> None:
    many = flow.HOLD_ABOVE + 50
    stage.copper.keep("company", 7, name="Tideglass")
    for _ in range(many):
        stage.send("get", record_id=7)
    async with stage.at_work(stage.executing()):
        stage.send("get", record_id=7)
        await stage.until(lambda: len(stage.log.of(NAMES.replies("company"))) == many + 1)
    assert stage.intake.told == [("hold", TOPIC), ("release", TOPIC)]
    assert [reply.offset for reply in stage.replied()] == list(range(many + 1))


# ------------------------------------------------------------------------------------------------ the same id again


async def test_the_same_id_gets_the_stored_answer_and_no_second_effect(stage: Stage) -> None:
    asked = {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"}
    first, second = await answers(stage, asked, asked)
    assert (first.value["duplicate"], second.value["duplicate"]) == (False, True)
    assert {**second.value, "duplicate": False, "command": None} == {**first.value, "command": None}
    assert (first.offset, second.offset) == (0, 1)
    assert len(stage.copper.effects) == 1
    assert journaled(stage, "c-1") == ["attempt", "done"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"action": "update", "record_id": 7, "data": {"name": "A"}}, {"action": "create", "data": {"name": "B"}}),
        ({"action": "create", "data": {"name": "A"}}, {"action": "create", "data": {"name": "B"}}),
    ],
)
async def test_the_same_id_for_something_else_is_refused(
    stage: Stage, one: dict[str, Any], other: dict[str, Any]
) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    replies = await answers(stage, {**one, "command_id": "c-1"}, {**other, "command_id": "c-1"})
    assert sorted((reply.status, reply.code) for reply in replies) == [("failed", "id-reused"), ("succeeded", None)]
    assert len(stage.copper.effects) == 1
    assert journaled(stage, "c-1") == ["attempt", "done"]


ELSEWHERE = {"record_id": 8, "command_id": "c-1"}
"""What a second command of one id is about."""


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"action": "delete", **ELSEWHERE, "deadline": EPOCH + 3.0}, "expired"),
        ({"action": "update", **ELSEWHERE, "data": {"name": "B"}, "expect": {"name": "Other"}}, "failed"),
        ({"action": "get", **ELSEWHERE}, "succeeded"),
    ],
)
async def test_a_command_that_took_its_id_is_remembered_whatever_becomes_of_another_with_that_id(
    stage: Stage, other: dict[str, Any], status: str
) -> None:
    """Both find no entry, one is attempted and in doubt, the other ends without an attempt; then the session ends."""
    for record_id in (7, 8):
        stage.copper.keep("company", record_id, name="Tideglass")
    stage.copper.admitting.extend([0.0, 100.0 if "deadline" in other else 0.0])
    first = [instead({"id": 8})] if other["action"] == "get" else []
    stage.copper.script["execute"].extend([*first, after(IN_DOUBT)])
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=7, data={"name": "A"}, command_id="c-1")
        stage.send(**other)
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, stage.replied()[0].offset) == (status, 1)
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=7, data={"name": "A"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 3)
    assert [(each.status, each.code, each.value["duplicate"]) for each in stage.replied()[1:]] == [
        ("succeeded", None, False), ("succeeded", None, True)
    ]  # fmt: skip
    assert stage.copper.effects == [("update", "company", 7)]
    assert journaled(stage, "c-1") == ["attempt", "done"]


async def test_an_attempt_that_is_taken_back_keeps_the_id_for_the_next(stage: Stage) -> None:
    for record_id in (7, 8):
        stage.copper.keep("company", record_id, name="Tideglass")
    stage.copper.script["execute"].append(instead(RATE_LIMITED))
    async with stage.at_work(stage.executing()):
        stage.send("update", record_id=7, data={"name": "A"}, command_id="c-1")
        await stage.until(lambda: journaled(stage, "c-1") == ["attempt", "void"])
        stage.send("update", record_id=8, data={"name": "B"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 2)
    told = {reply.offset: (reply.status, reply.code) for reply in stage.replied()}
    assert told == {0: ("succeeded", None), 1: ("failed", "id-reused")}
    assert stage.copper.effects == [("update", "company", 7)]


async def test_a_failure_is_remembered_as_well(stage: Stage) -> None:
    stage.copper.script["execute"].append(instead(Trouble(Why.INVALID, "name is odd", 422)))
    asked = {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"}
    first, second = await answers(stage, asked, asked)
    assert (first.code, second.code, second.value["duplicate"]) == ("invalid", "invalid", True)
    assert stage.copper.effects == []


# ------------------------------------------------------------------------------------------------------ deadlines


async def test_a_command_whose_deadline_passes_in_the_queue_expires_and_nothing_is_done(stage: Stage) -> None:
    stage.copper.admitting.append(100.0)
    (reply,) = await answers(
        stage, {"action": "create", "data": {"name": "Tideglass"}, "deadline": EPOCH + 30.0, "command_id": "c-1"}
    )
    assert (reply.status, reply.code) == ("expired", "would-expire")
    assert reply.at == pytest.approx(EPOCH + 30.0, abs=1)
    assert (stage.called("execute"), stage.copper.effects, journaled(stage, "c-1")) == ([], [], ["done"])


async def test_a_deadline_that_passed_before_the_command_was_read_expires_it(stage: Stage) -> None:
    (reply,) = await answers(stage, {"action": "get", "record_id": 7, "deadline": EPOCH - 1.0})
    assert (reply.status, stage.called("execute")) == ("expired", [])


@pytest.mark.parametrize("why", [Why.UNAUTHORIZED, Why.RATE_LIMITED, Why.NOT_SENT])
async def test_trouble_of_the_world_waits_until_the_deadline_and_no_longer(stage: Stage, why: Why) -> None:
    stage.copper.script["execute"].extend([instead(Trouble(why, "no"))] * 100)
    (reply,) = await answers(
        stage, {"action": "create", "data": {"name": "Tideglass"}, "deadline": EPOCH + 300.0, "command_id": "c-1"}
    )
    assert (reply.status, stage.copper.effects) == ("expired", [])
    assert reply.at == pytest.approx(EPOCH + 300.0, abs=1)
    assert 5 < reply.value["attempts"] < 20


# -------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("why", [Why.UNAUTHORIZED, Why.RATE_LIMITED, Why.NOT_SENT])
async def test_an_attempt_that_did_nothing_is_taken_back_before_it_is_made_again(stage: Stage, why: Why) -> None:
    stage.copper.script["execute"].extend([instead(Trouble(why, "no"))] * 2)
    (reply,) = await answers(stage, {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"})
    assert (reply.status, reply.value["attempts"]) == ("succeeded", 3)
    assert journaled(stage, "c-1") == ["attempt", "void", "attempt", "void", "attempt", "done"]
    first, second, third = (call.at for call in stage.copper.made("execute"))
    assert second - first == pytest.approx(CALL_SECONDS + 0.5 + 2 * COMMIT_SECONDS)
    assert third - second == pytest.approx(CALL_SECONDS + 1.0 + 2 * COMMIT_SECONDS)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble(Why.INVALID, "x", 422, {"name": ("is odd",)}), Code.INVALID),
        (Trouble(Why.CONFLICT, "x", 422, ids=(3, 4)), Code.CONFLICT),
        (Trouble(Why.FEATURE_DISABLED, "x", 403), Code.FEATURE_DISABLED),
        (Trouble(Why.FORBIDDEN, "x", 403), Code.FORBIDDEN),
        (GONE, Code.NOT_FOUND),
    ],
)
async def test_a_refusal_is_told_and_not_tried_again(stage: Stage, trouble: Trouble, code: Code) -> None:
    stage.copper.script["execute"].append(instead(trouble))
    (reply,) = await answers(stage, {"action": "update", "record_id": 7, "data": {"name": "A"}})
    assert (reply.status, reply.code, reply.value["attempts"]) == ("failed", code, 1)
    assert stage.events() == []


async def test_a_read_that_copper_never_answers_properly_is_given_up(stage: Stage) -> None:
    stage.copper.script["execute"].extend([instead(IN_DOUBT)] * 50)
    (reply,) = await answers(stage, {"action": "get", "record_id": 7})
    assert (reply.status, reply.code, reply.value["attempts"]) == ("failed", "unavailable", 10)


async def test_a_call_held_up_after_its_journal_entry_is_not_made_then_but_later(stage: Stage) -> None:
    stage.copper.script["execute"].append(instead(Trouble(Why.EXPIRED, "held up")))
    (reply,) = await answers(stage, {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"})
    assert (reply.status, len(stage.copper.effects)) == ("succeeded", 1)
    assert journaled(stage, "c-1") == ["attempt", "void", "attempt", "done"]


# ------------------------------------------------------------------------------------------------ what cannot be done


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "malformed"),
        (None, "malformed"),
        (b'{"action": "explode"}', "unknown-action"),
        (b'{"action": "create", "data": {"nmae": "Tideglass"}}', "invalid"),
        (b'{"action": "get", "id": 7, "account": "nobody"}', "unknown-account"),
    ],
)
async def test_a_bad_command_is_answered_and_buried_in_one_transaction(
    stage: Stage, value: bytes | None, code: str
) -> None:
    async with stage.at_work(stage.executing()):
        stage.put(TOPIC, value, (("correlation-id", b"\xff"),), key=b"k")
        await stage.until(stage.replied)
        await stage.until(lambda: stage.buried)
    (transaction,) = stage.log.transactions
    assert [record.position.topic for record in transaction] == [
        NAMES.replies("company"), NAMES.dead_letters("company"), NAMES.cursors
    ]  # fmt: skip
    assert (stage.replied()[0].code, stage.buried, stage.copper.calls) == (code, [code], [])
    letter = stage.log.of(NAMES.dead_letters("company"))[0]
    assert (letter.key, letter.value, letter.header("copper-bridge-error")) == (b"k", value, code.encode())
    assert stage.replied()[0].record.header("correlation-id") == b"\xff"


async def test_a_reply_topic_that_is_not_there_is_refused_and_the_default_one_takes_the_reply(stage: Stage) -> None:
    stage.replies.foreign["there.copper-replies"] = 2
    (first,) = await answers(stage, {"action": "get", "record_id": 7, "reply_topic": "missing.copper-replies"})
    assert first.record.header("reply-to-refused") == b"missing.copper-replies"
    async with stage.at_work(stage.executing()):
        stage.send("get", record_id=7, reply_topic="there.copper-replies", reply_partition=1)
        await stage.until(lambda: stage.log.of("there.copper-replies", 1))
        stage.send("get", record_id=7, reply_topic="there.copper-replies", reply_partition=2)
        await stage.until(lambda: stage.log.of("there.copper-replies"))
    assert len(stage.replied()) == 1


@pytest.mark.parametrize(("action", "status"), [("get", "failed"), ("update", "succeeded")])
async def test_an_answer_too_large_for_a_record_is_left_out_and_that_is_said(
    stage: Stage, action: str, status: str
) -> None:
    stage.copper.keep("company", 7, name="Tideglass", details="x" * LARGEST_RECORD)
    data = {"data": {"name": "New"}} if action == "update" else {}
    (reply,) = await answers(stage, {"action": action, "record_id": 7, **data})
    assert (reply.status, reply.value["record"]) == (status, None)
    assert reply.code == ("too-large" if status == "failed" else None)
    assert stage.events() == []
    assert [str(verdict) for _, _, verdict in stage.verdicts] == ["too-large"] * (action == "update")


async def test_correlation_that_makes_a_reply_too_large_is_not_echoed(stage: Stage) -> None:
    await answers(stage, {"action": "get", "record_id": 7, "correlation": b"x" * LARGEST_RECORD})
    assert stage.replied()[0].record.header("correlation-id") is None


@pytest.mark.parametrize(
    ("value", "status"), [(b'{"action": "update", "id": 7, "data": {"name": "A"}}', "succeeded"), (b"{", "failed")]
)
async def test_a_key_that_no_reply_can_carry_is_left_out(stage: Stage, value: bytes, status: str) -> None:
    """A batch is measured compressed: a record may come in that is larger than any that may go out."""
    stage.copper.keep("company", 7, name="Tideglass")
    async with stage.at_work(stage.executing()):
        stage.put(TOPIC, value, key=b"x" * 3 * LARGEST_RECORD)
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, stage.replied()[0].record.key) == (status, None)
    assert [letter.key for letter in stage.log.of(NAMES.dead_letters("company"))] == [None] * (status == "failed")


async def test_a_command_in_the_wrong_partition_is_moved_with_its_position_and_keeps_its_identity(
    stage: Stage,
) -> None:
    there = shard_of("globex", 4)
    assert there != SHARD
    async with stage.at_work(stage.executing(accounts=("acme", "globex"))):
        where = stage.send("get", account="globex", record_id=7, key=b"k", correlation=b"c")
        await stage.until(lambda: stage.log.of(TOPIC, there))
        await stage.until(lambda: stage.cursor(position_key(TOPIC)))
    (moved,) = stage.log.of(TOPIC, there)
    (original,) = stage.log.of(TOPIC)
    assert (moved.key, moved.value) == (original.key, original.value)
    assert moved.headers == (*original.headers, (FORWARDED, str(where).encode()))
    assert [record.position.topic for record in stage.log.transactions[0]] == [TOPIC, NAMES.cursors]
    assert (stage.replied(), stage.copper.calls) == ([], [])


async def test_a_moved_command_is_known_by_where_it_lay_first(stage: Stage) -> None:
    value, headers = encode("create", data={"name": "Tideglass"})
    mark = (FORWARDED, f"{TOPIC}-3-77".encode())
    async with stage.at_work(stage.executing()):
        stage.put(TOPIC, value, (*headers, mark))
        await stage.until(stage.replied)
    told = stage.replied()[0].value["command"]
    assert (told["id"], told["partition"], told["offset"]) == (f"{TOPIC}-3-77", 3, 77)


async def test_a_command_too_large_to_be_moved_is_answered_where_it_is(stage: Stage) -> None:
    async with stage.at_work(stage.executing(accounts=("acme", "globex"))):
        stage.send("get", account="globex", record_id=7, key=b"x" * LARGEST_RECORD)
        await stage.until(stage.replied)
    assert stage.replied()[0].code == "too-large"
    assert stage.log.of(TOPIC, shard_of("globex", 4)) == []


# ------------------------------------------------------------------------------------------------------ our own faults


async def test_a_fault_of_our_own_before_any_call_is_internal_and_the_next_command_goes_on(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(raising(KeyError("a bug")))
    async with stage.at_work(stage.executing()):
        stage.send("get", record_id=7)
        stage.send("get", record_id=7)
        await stage.until(lambda: len(stage.replied()) == 2)
    first, second = stage.replied()
    assert (first.code, first.value["error"]["retryable"], second.status) == ("internal", True, "succeeded")
    assert [type(problem) for problem in stage.unexpected] == [KeyError]


async def test_an_answer_that_cannot_be_written_is_internal_and_the_next_command_goes_on(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(instead({"id": 7, "date_modified": EPOCH, "name": object()}))
    async with stage.at_work(stage.executing()):
        stage.send("get", record_id=7)
        stage.send("get", record_id=7)
        await stage.until(lambda: len(stage.replied()) == 2)
    first, second = stage.replied()
    assert (first.code, second.status) == ("internal", "succeeded")
    assert len(stage.unexpected) == 1


async def test_an_effect_whose_answer_cannot_be_written_is_unknown(stage: Stage) -> None:
    stage.copper.script["execute"].append(instead({"id": 7, "date_modified": EPOCH, "name": object()}))
    async with stage.at_work(stage.executing()):
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(stage.replied)
    assert stage.replied()[0].status == "unknown"
    assert journaled(stage, "c-1") == ["attempt", "done"]


async def test_what_cannot_be_answered_at_all_is_left_behind(stage: Stage) -> None:
    stage.replies = Unanswerable()
    async with stage.at_work(stage.executing()):
        stage.send("get", record_id=7)
        stage.send("no-such-action")
        await stage.until(lambda: stage.log.of(NAMES.cursors) and len(stage.unexpected) == 4)
        await stage.until(lambda: next_command(stage) == 2)
    assert stage.replied() == []


class Unanswerable(RepliesInMemory):
    """A bug where reply addresses are looked up."""

    async def partitions(self, topic: str) -> int | None:
        raise KeyError(topic)


def next_command(stage: Stage) -> int:
    """Where a restart would begin to read commands."""
    return stage.executing().positions()[TOPIC]


async def test_a_fault_of_our_own_after_the_attempt_is_unknown_and_remembered(stage: Stage) -> None:
    stage.copper.script["execute"].append(raising(KeyError("a bug")))
    async with stage.at_work(stage.executing()):
        for _ in range(2):
            stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(lambda: len(stage.replied()) == 2)
    assert [(reply.status, reply.value["duplicate"]) for reply in stage.replied()] == [
        ("unknown", False), ("unknown", True)
    ]  # fmt: skip
    assert len(stage.called("execute")) == 1


# ------------------------------------------------------------------------------------------------------------- a stop


async def test_a_stop_waits_for_calls_that_have_begun_and_drops_the_others(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.admitting.extend([0.0, 1000.0])
    async with stage.at_work(stage.executing()) as stop:
        stage.send("update", record_id=7, data={"name": "begun"})
        stage.send("update", record_id=7, data={"name": "behind it"})
        stage.send("create", data={"name": "waits for the budget"})
        await stage.until(lambda: stage.called("execute"))
        began = loop_time()
        stop.set()
    assert loop_time() - began < 2 * CALL_SECONDS
    assert [reply.offset for reply in stage.replied()] == [0]
    assert [effect for effect, *_ in stage.copper.effects] == ["update"]
    assert orjson.loads(stage.log.of(NAMES.cursors)[-1].value or b"")["next"] == 1


async def test_a_stop_does_not_wait_for_doubts_and_the_next_session_settles_them(stage: Stage) -> None:
    stage.copper.keep("company", 7, name="Tideglass")
    stage.copper.script["execute"].append(after(IN_DOUBT))
    async with stage.at_work(stage.executing()) as stop:
        stage.send("update", record_id=7, data={"name": "New"}, command_id="c-1")
        await stage.until(lambda: stage.called("execute"))
        await asyncio.sleep(5)
        began = loop_time()
        stop.set()
    assert loop_time() - began < 1
    assert (stage.replied(), stage.journal()) == ([], [("c-1", "attempt")])
    async with stage.at_work(stage.executing()):
        await stage.until(stage.replied)
    assert (stage.replied()[0].status, len(stage.called("execute"))) == ("succeeded", 1)
