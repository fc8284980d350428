"""How commands are answered: addresses, deadlines, repetitions, order, and what Copper does to us meanwhile."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bridge.contract.failures import Code
from bridge.sandbox.copper import Account, Fault
from tests.integration.bridge.conftest import REPLIES
from tests.integration.bridge.reading import Message, validate
from tests.integration.bridge.stage import SHARDS, Stage

CREATE = b'{"action": "create", "account": "%s", "data": {"name": "Tideglass"}}'


def creating(account: Account) -> bytes:
    return CREATE.replace(b"%s", account.name.encode())


def error(reply: Message) -> str:
    """The code of a failure, which header and value agree on."""
    validate(reply, "reply.v1")
    assert reply.text("copper-bridge-error") == reply.value["error"]["type"]
    assert reply.text("status") == reply.value["status"]
    return str(Code(reply.value["error"]["type"]))


def api_effects(account: Account, kind: str) -> int:
    return sum(effect.by == "api" and effect.kind == kind for effect in account.effects)


@pytest.mark.parametrize("family", ["kafka_correlationId", "correlation-id", "correlation_id"])
async def test_a_correlation_header_is_echoed_byte_for_byte_under_its_own_name(
    shared: Stage, customer: Account, family: str
) -> None:
    raw = b"\x00\xff\xfe " + family.encode()
    await shared.send(
        shared.names.commands("company"), creating(customer), ((family, raw),), key=customer.name.encode()
    )
    reply = await shared.reply("company", raw)
    families = {"kafka_correlationId", "correlation-id", "correlation_id"}
    assert {name: value for name, value in reply.pairs if name in families} == {family: raw}


@pytest.mark.parametrize("family", ["kafka_replyTopic", "reply-to", "reply_to"])
async def test_a_reply_goes_to_the_topic_that_was_asked_for(shared: Stage, customer: Account, family: str) -> None:
    topic = f"{shared.names.prefix}.{REPLIES}"
    headers = ((family, topic.encode()), ("correlation-id", f"to {family}".encode()))
    await shared.send(shared.names.commands("company"), creating(customer), headers, key=customer.name.encode())
    reply = await shared.reply("company", f"to {family}".encode(), topic=topic)
    assert reply.value["status"] == "succeeded"
    assert "reply-to-refused" not in reply.headers


async def test_a_reply_lies_in_the_partition_that_was_asked_for(shared: Stage, customer: Account) -> None:
    topic = f"{shared.names.prefix}.{REPLIES}"
    for partition in range(SHARDS):
        asked = await shared.command(
            customer.name, "company", "search", reply_topic=topic, reply_partition=partition, data={"page_size": 1}
        )
        assert (await shared.reply("company", asked, topic=topic)).partition == partition


@pytest.mark.parametrize("topic", ["secrets", "missing.copper-replies", "bridge.cursors", "company.created"])
async def test_a_reply_topic_that_cannot_be_had_is_named_in_the_reply_on_the_default_one(
    shared: Stage, customer: Account, topic: str
) -> None:
    asked = f"{shared.names.prefix}.{topic}"
    correlation = await shared.command(
        customer.name, "company", "search", reply_topic=asked, reply_partition=1, data={"page_size": 1}
    )
    reply = await shared.reply("company", correlation)
    assert reply.text("reply-to-refused") == asked
    assert reply.value["status"] == "succeeded"
    assert reply.partition == shared.shard(customer.name)


@pytest.mark.parametrize("family", ["ce_expirytime", "deadline"])
async def test_a_command_past_its_deadline_is_expired_and_copper_was_never_called(
    shared: Stage, customer: Account, family: str
) -> None:
    passed = (datetime.now(UTC) - timedelta(seconds=1)).isoformat().encode()
    headers = ((family, passed), ("correlation-id", family.encode()))
    await shared.send(shared.names.commands("company"), creating(customer), headers, key=customer.name.encode())
    reply = await shared.reply("company", family.encode())
    assert (reply.value["status"], error(reply)) == ("expired", "would-expire")
    assert reply.value["attempts"] == 0
    assert shared.calls(customer.name, "POST", "/companies") == []
    assert customer.effects == []


async def test_while_credentials_are_refused_commands_wait_for_them_or_for_their_deadlines(
    shared: Stage, customer: Account
) -> None:
    customer.revoke()
    waiting = await shared.command(customer.name, "company", "create", data={"name": "Patient"})
    until = datetime.now(UTC).timestamp() + 2
    late = await shared.reply(
        "task", await shared.command(customer.name, "task", "create", deadline=until, data={"name": "Now"})
    )
    assert (late.value["status"], error(late)) == ("expired", "would-expire")
    assert any(call.status == 401 for call in shared.calls(customer.name))
    assert shared.log.of(shared.names.replies("company"), lambda each: waiting in each.headers.values()) == []
    customer.restore()
    reply = await shared.reply("company", waiting)
    assert reply.value["status"] == "succeeded"
    assert [effect.record["name"] for effect in customer.effects if effect.record] == ["Patient"]


async def test_the_same_id_again_gets_the_stored_answer_and_another_command_under_it_is_refused(
    shared: Stage, customer: Account
) -> None:
    order: dict[str, Any] = {"command_id": "order-4711", "data": {"name": "Bluefield AG"}}
    first = await shared.ask(customer.name, "company", "create", **order)
    again = await shared.ask(customer.name, "company", "create", **order)
    assert (first.value["duplicate"], again.value["duplicate"]) == (False, True)
    assert {**again.value, "duplicate": False, "command": None} == {**first.value, "command": None}
    other = await shared.ask(customer.name, "company", "create", **{**order, "data": {"name": "Other"}})
    assert (other.value["status"], error(other)) == ("failed", "id-reused")
    assert api_effects(customer, "create") == 1


async def test_commands_of_one_id_that_come_at_once_are_carried_out_once(shared: Stage, customer: Account) -> None:
    sent = [
        await shared.command(customer.name, "company", "create", command_id="at-once", data={"name": "Once"})
        for _ in range(5)
    ]
    replies = [await shared.reply("company", correlation) for correlation in sent]
    assert [reply.value["duplicate"] for reply in replies] == [False, True, True, True, True]
    assert len({reply.value["record"]["id"] for reply in replies}) == 1
    assert api_effects(customer, "create") == 1


async def test_commands_on_one_record_run_in_their_order_and_others_overtake_them(
    shared: Stage, customer: Account
) -> None:
    one, other = customer.create("company", {"name": "One"})["id"], customer.create("company", {"name": "Two"})["id"]
    shared.copper.fault(Fault("slow", seconds=1.0, account=customer.name, method="PUT", path=f"/companies/{one}"))
    steps = [f"step {number}" for number in range(5)]
    sent = [
        await shared.command(customer.name, "company", "update", record_id=one, data={"details": step})
        for step in steps
    ]
    quick = await shared.ask(customer.name, "company", "update", record_id=other, data={"details": "quick"})
    assert quick.value["status"] == "succeeded"
    replies = [await shared.reply("company", correlation) for correlation in sent]
    assert min(reply.offset for reply in replies) > quick.offset
    assert [reply.offset for reply in replies] == sorted(reply.offset for reply in replies)
    assert [
        effect.body["details"] for effect in customer.effects if effect.id == one and effect.body.get("details")
    ] == (steps)


async def test_a_command_in_the_wrong_partition_is_carried_out_once_under_the_identity_it_had(
    shared: Stage, customer: Account
) -> None:
    wrong = (shared.shard(customer.name) + 1) % SHARDS
    topic = shared.names.commands("company")
    place = await shared.send(
        topic, creating(customer), (("correlation-id", b"astray"),), key=b"any key", partition=wrong
    )
    reply = await shared.reply("company", b"astray")
    command = reply.value["command"]
    assert (command["partition"], command["offset"]) == place
    assert command["id"] == f"{topic}-{place[0]}-{place[1]}"
    assert reply.key == b"any key"
    assert reply.partition == shared.shard(customer.name)
    assert api_effects(customer, "create") == 1


async def test_a_command_that_can_never_be_carried_out_is_answered_and_buried_untouched(
    shared: Stage, customer: Account
) -> None:
    raw = orjson.dumps({"action": "create", "account": customer.name, "data": {"nmae": "Northwind", "tags": 7}})
    headers = (("correlation-id", b"buried"), ("x-mine", b"\x00\xff"))
    topic = shared.names.commands("company")
    partition, offset = await shared.send(topic, raw, headers, key=b"\xfe key")
    reply = await shared.reply("company", b"buried")
    assert (reply.value["status"], error(reply)) == ("failed", "invalid")
    assert reply.value["error"]["fields"]["data.nmae"] == ['unknown field, did you mean "name"?']
    assert reply.value["error"]["fields"].keys() == {"data.nmae", "data.name", "data.tags"}
    letter = await shared.log.one(
        shared.names.dead_letters("company"), lambda each: each.headers.get("correlation-id") == b"buried"
    )
    assert (letter.raw, letter.key, letter.pairs[:2]) == (raw, b"\xfe key", headers)
    assert letter.text("__connect.errors.topic") == letter.text("kafka_dlt-original-topic") == topic
    assert letter.text("__connect.errors.partition") == str(partition)
    assert letter.text("__connect.errors.offset") == str(offset)
    assert letter.headers["kafka_dlt-original-partition"] == partition.to_bytes(4, "big")
    assert letter.headers["kafka_dlt-original-offset"] == offset.to_bytes(8, "big")
    assert len(letter.headers["kafka_dlt-original-timestamp"]) == 8
    for name in ("__connect.errors.exception.message", "kafka_dlt-exception-message"):
        assert "nmae" in letter.text(name)
    assert letter.text("copper-bridge-error") == "invalid"
    assert letter.text("copper-bridge-attempts") == letter.text("copper-bridge-redrives") == "0"
    assert customer.effects == []


async def test_what_copper_refuses_is_told_field_by_field_and_is_no_dead_letter(
    shared: Stage, customer: Account
) -> None:
    taken = {"name": "Mara", "emails": [{"email": "mara@tideglass.example", "category": "work"}]}
    customer.create("person", taken)
    reply = await shared.ask(customer.name, "person", "create", data=taken)
    assert (reply.value["status"], error(reply)) == ("failed", "conflict")
    assert reply.value["error"]["http_status"] == 422
    missing = await shared.ask(customer.name, "person", "update", record_id=999, data={"title": "Buyer"})
    assert (missing.value["status"], error(missing)) == ("failed", "not-found")
    gone = await shared.ask(customer.name, "person", "delete", record_id=999)
    assert (gone.value["status"], gone.value["already"]) == ("succeeded", True)
    letters = shared.log.of(shared.names.dead_letters("person"), lambda each: each.key == customer.name.encode())
    assert letters == []


async def test_too_many_requests_are_waited_out(shared: Stage, customer: Account) -> None:
    shared.copper.fault(Fault("status", status=429, account=customer.name, path="/companies", times=2))
    reply = await shared.ask(customer.name, "company", "create", data={"name": "Patient"})
    assert (reply.value["status"], reply.value["attempts"]) == ("succeeded", 3)
    assert api_effects(customer, "create") == 1


async def test_what_only_reads_is_asked_again_when_copper_is_out_of_order(shared: Stage, customer: Account) -> None:
    record_id = customer.create("company", {"name": "There"})["id"]
    place: dict[str, Any] = {"account": customer.name, "path": f"/companies/{record_id}"}
    shared.copper.fault(
        Fault("status", status=503, **place), Fault("status", status=502, body="html", **place), Fault("cut", **place)
    )
    reply = await shared.ask(customer.name, "company", "get", record_id=record_id)
    assert (reply.value["status"], reply.value["attempts"]) == ("succeeded", 4)
    assert reply.value["record"] == customer.record("company", record_id)


LOST = [
    Fault("status", when="after", status=502, body="html"),
    Fault("status", when="after", status=503),
    Fault("hang", when="after"),
    Fault("reset", when="after"),
    Fault("late", seconds=2.2),
    Fault("cut"),
]
"""Carried out, and the caller learns nothing of it."""


@pytest.mark.parametrize("action", ["update", "delete"])
async def test_an_answer_that_is_lost_is_looked_for_and_the_effect_is_one(
    shared: Stage, customer: Account, action: str
) -> None:
    ids = [await shared.made(customer.name, "company", {"name": f"Number {number}"}) for number in range(len(LOST))]
    members = {"data": {"details": "by command"}} if action == "update" else {}
    for record_id, fault in zip(ids, LOST, strict=True):
        method = {"update": "PUT", "delete": "DELETE"}[action]
        shared.copper.fault(replace(fault, account=customer.name, method=method, path=f"/companies/{record_id}"))
    sent = [await shared.command(customer.name, "company", action, record_id=each, **members) for each in ids]
    for record_id, correlation in zip(ids, sent, strict=True):
        reply = await shared.reply("company", correlation)
        assert reply.value["status"] == "succeeded", reply.value
        effects = [effect.kind for effect in customer.effects if effect.by == "api" and effect.id == record_id]
        assert effects == ["create", action]
        event = await shared.event("company", f"{action}d", record_id, customer.name)
        assert event.text("ce_id") == reply.value["event_id"]


async def test_a_record_that_only_its_delete_has_shown_is_published_as_never_seen(
    shared: Stage, customer: Account
) -> None:
    record_id = customer.create("company", {"name": "Hidden"})["id"]
    reply = await shared.ask(customer.name, "company", "delete", record_id=record_id)
    event = await shared.event("company", "deleted", record_id, customer.name)
    assert (event.value["before"], event.value["source"]["seen"]) == ({"id": record_id}, False)
    assert event.text("ce_id") == reply.value["event_id"]
    nothing = await shared.ask(customer.name, "company", "delete", record_id=record_id + 1)
    assert (nothing.value["already"], nothing.value["event_id"]) == (True, None)


async def test_a_create_whose_answer_is_lost_is_found_and_has_one_effect(shared: Stage, customer: Account) -> None:
    for number, fault in enumerate(LOST):
        where: dict[str, Any] = {
            "account": customer.name,
            "method": "POST",
            "path": "/companies",
            "contains": f"Number {number}",
        }
        shared.copper.fault(replace(fault, **where))
    sent = [
        await shared.command(customer.name, "company", "create", data={"name": f"Number {number}"})
        for number in range(len(LOST))
    ]
    for correlation in sent:
        reply = await shared.reply("company", correlation)
        assert (reply.value["status"], reply.value["attempts"]) == ("succeeded", 1)
        assert reply.value["record"]["id"] in {record["id"] for record in customer.records("company")}
    assert api_effects(customer, "create") == len(LOST)


async def test_what_was_expected_is_compared_before_anything_is_written(shared: Stage, customer: Account) -> None:
    record_id = customer.create("company", {"name": "Tideglass", "details": "old"})["id"]
    ask, expected = shared.ask, {"name": "Tideglass", "details": "old"}
    changed = await ask(
        customer.name, "company", "update", record_id=record_id, expect=expected, data={"details": "new"}
    )
    assert changed.value["status"] == "succeeded"
    for action, members in (("update", {"data": {"details": "newer"}}), ("delete", {})):
        refused = await ask(customer.name, "company", action, record_id=record_id, expect=expected, **members)
        assert (refused.value["status"], error(refused)) == ("failed", "expectation-failed")
        assert refused.value["error"]["fields"].keys() == {"expect.details"}
    assert api_effects(customer, "update") == 1
    assert api_effects(customer, "delete") == 0


async def test_the_action_may_be_said_by_the_type_of_a_cloudevent(shared: Stage, customer: Account) -> None:
    headers = (
        ("ce_id", b"7"),
        ("ce_source", b"/orders"),
        ("ce_type", b"copper.company.create.v1"),
        ("correlation-id", b"by type"),
    )
    value = orjson.dumps({"account": customer.name, "data": {"name": "By type"}})
    await shared.send(shared.names.commands("company"), value, headers, key=customer.name.encode())
    reply = await shared.reply("company", b"by type")
    assert (reply.value["status"], reply.value["command"]["id"]) == ("succeeded", "/orders#7")


async def test_many_commands_at_once_are_all_answered_within_coppers_limit(shared: Stage, customer: Account) -> None:
    sent = [
        await shared.command(customer.name, "task", "create", data={"name": f"Task {number}"}) for number in range(20)
    ]
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(shared.reply("task", correlation)) for correlation in sent]
    assert {each.result().value["status"] for each in asked} == {"succeeded"}
    assert api_effects(customer, "create") == 20
    assert shared.copper.max_calls_in_any_minute(customer.name) <= 180
