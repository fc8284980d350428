"""Publishing under a field policy, and under another one later; classes of updates that are no events."""

import asyncio
from typing import Any

import orjson
import pytest

from bridge.contract.events import ChangeClass
from bridge.policy.changes import Reason
from bridge.policy.fields import FieldPolicy
from tests.unit.shard.copper import IN_DOUBT, after, instead
from tests.unit.shard.stage import NAMES, Stage

KEY, OTHER_KEY = b"a key of the deployment", b"the key that came after it"
NOTHING = FieldPolicy()
DENY = FieldPolicy(deny=frozenset({"details"}))
ALLOW = FieldPolicy(allow=frozenset({"name"}))
HASH = FieldPolicy(hashed=frozenset({"details", "custom_fields.1", "priority"}), key=KEY)
REKEYED = FieldPolicy(hashed=frozenset({"details", "custom_fields.1", "priority"}), key=OTHER_KEY)
RECORD: dict[str, Any] = {
    "name": "call",
    "details": "canary",
    "priority": 3,
    "custom_fields": [
        {"custom_field_definition_id": 1, "value": "canary"},
        {"custom_field_definition_id": 2, "value": 5},
    ],
}
CHANGES_OF_POLICY = [
    (old, new) for old in (NOTHING, DENY, ALLOW, HASH, REKEYED) for new in (NOTHING, DENY, ALLOW, HASH, REKEYED)
]


async def _scan(stage: Stage, policy: FieldPolicy, scans: int = 2) -> None:
    """A session under a policy, for so many scans."""
    stage.fields = {} if policy is NOTHING else {"task": policy}
    before = len(stage.scans)
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: len(stage.scans) >= before + scans)


def _state(stage: Stage) -> dict[str, Any]:
    kept: dict[str, Any] = orjson.loads(stage.log.of(NAMES.state("task"))[-1].value or b"null")
    return kept


@pytest.mark.parametrize(("old", "new"), CHANGES_OF_POLICY)
async def test_another_policy_alone_is_no_event_and_no_reason_to_read(
    stage: Stage, old: FieldPolicy, new: FieldPolicy
) -> None:
    stage.copper.keep("task", 1, **RECORD)
    await _scan(stage, old)
    await _scan(stage, new)
    assert len(stage.events("changes", "task")) == 1
    assert stage.called("get") == []


@pytest.mark.parametrize(("old", "new"), CHANGES_OF_POLICY)
async def test_the_next_change_is_told_under_the_policy_of_its_day(
    stage: Stage, old: FieldPolicy, new: FieldPolicy
) -> None:
    stage.copper.keep("task", 1, **RECORD)
    await _scan(stage, old)
    await _scan(stage, new)
    stage.copper.keep("task", 1, name="call back")
    await _scan(stage, new, 4)
    _, event = stage.events("changes", "task")
    assert (event["op"], event["before"]["name"], event["after"]["name"]) == ("u", "call", "call back")
    assert "name" in event["changed"]
    assert event["after"] == _state(stage) == new.apply(stage.copper.records["task", 1])
    assert event["before"] == new.apply(event["before"])
    del stage.copper.records["task", 1]
    async with stage.at_work(stage.noticing()):
        stage.notify("deleted", 1, entity="task")
        await stage.until(lambda: stage.events("deleted", "task"))
    assert stage.events("deleted", "task")[0]["before"] == event["after"]


async def test_an_edit_in_the_very_second_that_another_policy_hides_nothing_of_is_told(stage: Stage) -> None:
    stage.copper.keep("task", 1, **RECORD)
    await _scan(stage, DENY)
    stage.copper.records["task", 1]["name"] = "call back"
    await _scan(stage, HASH)
    assert [event["op"] for event in stage.events("changes", "task")] == ["c", "u"]


async def test_an_edit_of_a_hashed_field_in_the_very_second_is_told_while_the_policy_stays(stage: Stage) -> None:
    stage.copper.keep("task", 1, **RECORD)
    await _scan(stage, DENY)
    await _scan(stage, HASH)
    stage.copper.keep("task", 1, details="one")
    await _scan(stage, HASH, 3)
    stage.copper.records["task", 1]["details"] = "two"
    await _scan(stage, HASH, 3)
    assert [event["op"] for event in stage.events("changes", "task")] == ["c", "u", "u"]


async def test_a_snapshot_on_demand_gives_the_state_its_new_form(stage: Stage) -> None:
    stage.copper.keep("task", 1, **RECORD)
    await _scan(stage, NOTHING)
    stage.fields = {"task": HASH}
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        stage.ask("snapshot", "task")
        await stage.until(lambda: len(stage.events("changes", "task")) == 2)
    assert stage.events("changes", "task")[1]["op"] == "r"
    assert b"canary" not in (stage.log.of(NAMES.state("task"))[-1].value or b"")
    assert stage.called("get") == []


async def test_a_class_of_updates_that_is_dropped_is_no_event_and_in_the_state_all_the_same(stage: Stage) -> None:
    stage.dropped = {ChangeClass.INTERACTION}
    stage.copper.keep("person", 1, name="Mara", interaction_count=1)
    async with stage.at_work(plain=[stage.polling("person")]):
        await stage.until(lambda: stage.scans)
        await asyncio.sleep(60)
        stage.copper.keep("person", 1, interaction_count=2)
        await stage.until(lambda: Reason.DROPPED in [verdict for *_, verdict in stage.verdicts])
        await asyncio.sleep(60)
        stage.copper.keep("person", 1, name="Mara Reed")
        await stage.until(lambda: len(stage.events("changes", "person")) == 2)
    first, second = stage.events("changes", "person")
    assert (first["op"], second["op"], second["changed"]) == ("c", "u", ["name"])
    states = [orjson.loads(record.value or b"") for record in stage.log.of(NAMES.state("person"))]
    assert [state["interaction_count"] for state in states] == [1, 2, 2]


# ---------------------------------------------------------------------------------------------------- commands


async def test_replies_and_what_the_journal_keeps_of_them_show_what_may_leave(stage: Stage) -> None:
    stage.fields = {"task": HASH, "person": FieldPolicy(deny=frozenset({"name"}))}
    stage.copper.keep("task", 7, **RECORD)
    stage.copper.keep("lead", 8, name="Mara")
    async with stage.at_work(stage.executing()):
        stage.send("get", "task", record_id=7, command_id="r-1")
        stage.send("update", "task", record_id=7, data={"name": "call back"}, command_id="u-1")
        stage.send("search", "task", command_id="s-1")
        stage.send("create", "task", data={"name": "n", "details": "canary"}, command_id="n-1")
        stage.send("convert", "lead", record_id=8, command_id="v-1")
        await stage.until(lambda: len(stage.replied("task")) == 4 and stage.replied("lead"))
    assert {reply.status for reply in [*stage.replied("task"), *stage.replied("lead")]} == {"succeeded"}
    (converted,) = stage.replied("lead")
    assert "name" not in converted.value["record"]["person"]
    written = {topic: stage.log.of(topic) for topic in (NAMES.replies("task"), NAMES.journal, NAMES.state("task"))}
    assert all(len(records) >= 2 for records in written.values())
    assert not [topic for topic, records in written.items() if b"canary" in b"".join(r.value or b"" for r in records)]


async def test_an_answer_stored_under_another_policy_is_repeated_under_the_present_one(stage: Stage) -> None:
    stage.copper.keep("task", 7, **RECORD)
    for policy in (NOTHING, DENY):
        stage.fields = {"task": policy}
        async with stage.at_work(stage.executing()):
            stage.send("get", "task", record_id=7, command_id="r-1")
            await stage.until(lambda: len(stage.replied("task")) == len(stage.log.of(NAMES.commands("task"))))
    first, again = stage.replied("task")
    assert ("details" in first.value["record"], "details" in again.value["record"]) == (True, False)
    assert again.value["duplicate"]


@pytest.mark.parametrize(
    ("sent", "applied", "meanwhile", "status", "calls"),
    [
        ({"name": "call back"}, True, {}, "succeeded", 1),
        ({"name": "call back"}, False, {}, "succeeded", 2),
        ({"name": "call back"}, False, {"priority": 9}, "succeeded", 2),  # nobody can see it, and nobody has to
        ({"name": "call back"}, False, {"name": "no"}, "unknown", 1),
        ({"details": "new"}, True, {}, "succeeded", 1),
        ({"details": "new"}, False, {}, "succeeded", 2),  # Copper's stamp says that nothing was changed
        ({"details": "new"}, False, {"priority": 9}, "unknown", 1),
    ],
)
async def test_an_update_in_doubt_is_settled_by_what_is_known_under_the_policy(
    stage: Stage, sent: dict[str, Any], applied: bool, meanwhile: dict[str, Any], status: str, calls: int
) -> None:
    stage.copper.keep("task", 7, **RECORD)
    await _scan(stage, HASH)
    await asyncio.sleep(60)
    stage.copper.script["execute"].append(after(IN_DOUBT) if applied else instead(IN_DOUBT))
    async with stage.at_work(stage.executing()):
        stage.send("update", "task", record_id=7, data=sent, command_id="u-1")
        await stage.until(lambda: stage.called("execute"))
        await asyncio.sleep(10)
        if meanwhile:
            stage.copper.keep("task", 7, **meanwhile)
        await stage.until(lambda: stage.replied("task"))
    assert stage.replied("task")[0].status == status
    assert len(stage.called("execute")) == calls
