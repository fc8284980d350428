"""Whatever lies in a command topic: a clear answer, a dead letter, and the next command is carried out."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import orjson
import pytest

from bridge.sandbox.copper import Account, Fault
from tests.integration.bridge.reading import validate
from tests.integration.bridge.stage import Stage

DEEP = b"[" * 10_000 + b"]" * 10_000


def whole(account: str, **members: Any) -> bytes:
    return orjson.dumps({"action": "create", "account": account, **members})


BAD: dict[str, tuple[Any, str]] = {
    "broken JSON": (b'{"action": "create", "data": {', "malformed"),
    "no UTF-8": (b"\xff\xfe\x00{}", "malformed"),
    "an empty value": (b"", "malformed"),
    "a tombstone": (None, "malformed"),
    "a list": (b"[1, 2]", "malformed"),
    "a number": (b"17", "malformed"),
    "text": (b'"create"', "malformed"),
    "null": (b"null", "malformed"),
    "no action": (b"{}", "malformed"),
    "an action of the wrong type": (b'{"action": 7}', "malformed"),
    "an unknown action": (b'{"action": "creat"}', "unknown-action"),
    "nested lists": (b'{"action": "create", "data": ' + DEEP + b"}", "malformed"),
    "nested objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "malformed"),
    "nesting that JSON allows": (b'{"action": "create", "data": ' + b"[" * 200 + b"]" * 200 + b"}", "malformed"),
    "no account": (b'{"action": "create", "data": {"name": "x"}}', "unknown-account"),
    "an unknown account": (whole("nobody", data={"name": "x"}), "unknown-account"),
    "no data": (whole("a01"), "invalid"),
    "fields of wrong types": (whole("a01", data={"name": 7, "tags": "x", "emails": [7]}), "invalid"),
    "a number too large": (b'{"action": "delete", "account": "a01", "id": 1e400}', "malformed"),
    "an id that is a fraction": (b'{"action": "delete", "account": "a01", "id": 7.5}', "invalid"),
    "900 kB in one unknown field": (whole("a01", data={"name": "x", "junk": "y" * 900_000}), "invalid"),
    "900 kB that is no JSON": (b"x" * 900_000, "malformed"),
    "a surrogate alone": (b'{"action": "create", "account": "a01", "data": {"name": "\\ud800"}}', "malformed"),
}


@pytest.fixture(scope="module")
def neighbours(shared: Stage, unused: Iterator[str]) -> Iterator[Account]:
    """Accounts in turn, so that nobody waits for a budget."""
    return cycle([shared.account(next(unused)) for _ in range(4)])


@pytest.mark.parametrize("what", BAD)
async def test_bad_input_is_answered_buried_and_passed(shared: Stage, neighbours: Iterator[Account], what: str) -> None:
    (raw, code), customer = BAD[what], next(neighbours)
    topic, correlation = shared.names.commands("person"), what.encode()
    place = await shared.send(topic, raw, (("correlation-id", correlation),), key=customer.name.encode())
    good = await shared.ask(customer.name, "person", "create", data={"name": "Next in line"})
    assert good.value["status"] == "succeeded"
    reply = await shared.reply("person", correlation)
    validate(reply, "reply.v1")
    assert reply.value["status"] == "failed"
    assert reply.text("copper-bridge-error") == reply.value["error"]["type"] == code
    assert len(reply.raw or b"") < 20_000
    command = reply.value["command"]
    assert (command["topic"], command["partition"], command["offset"]) == (topic, *place)
    letter = await shared.log.one(
        shared.names.dead_letters("person"), lambda each: each.headers.get("correlation-id") == correlation
    )
    assert letter.raw == raw
    assert letter.text("copper-bridge-error") == code


async def test_headers_of_any_bytes_are_named_and_nothing_of_them_is_taken_for_granted(
    shared: Stage, customer: Account
) -> None:
    junk = b"\x00\xff\xfe\r\n"
    names = (
        "idempotency-key",
        "ce_type",
        "deadline",
        "lane",
        "kafka_replyPartition",
        "kafka_replyTopic",
        "traceparent",
    )
    headers = (*((name, junk) for name in names), ("correlation-id", junk + b"!"), ("other", junk))
    value = whole(customer.name, data={"name": "x"})
    await shared.send(shared.names.commands("lead"), value, headers, key=junk)
    reply = await shared.reply("lead", junk + b"!")
    assert reply.text("copper-bridge-error") == "malformed"
    assert reply.value["error"]["fields"].keys() >= {"idempotency-key", "deadline", "lane", "kafka_replyPartition"}
    assert reply.key == junk
    assert (await shared.ask(customer.name, "lead", "create", data={"name": "Next"})).value["status"] == "succeeded"
    assert len(customer.effects) == 1


async def test_records_too_large_for_kafka_are_told_or_passed_over_and_the_rest_goes_on(
    shared: Stage, customer: Account
) -> None:
    name, details = customer.name, "x" * 600_000
    one, _ = (int(customer.create("task", {"name": "Large", "details": details})["id"]) for _ in range(2))
    both = await shared.ask(name, "task", "search", data={"page_size": 2})
    assert (both.value["status"], both.text("copper-bridge-error")) == ("failed", "too-large")
    read = await shared.ask(name, "task", "get", record_id=one)
    assert read.value["record"]["details"] == details
    first = await shared.ask(name, "task", "update", record_id=one, data={"priority": "High"})
    assert first.value["event_id"] is not None
    second = await shared.ask(name, "task", "update", record_id=one, data={"status": "Completed"})
    assert (second.value["status"], second.value["event_id"]) == ("succeeded", None)
    assert second.value["record"]["status"] == "Completed"
    deleted = await shared.ask(name, "task", "delete", record_id=one)
    event = await shared.event("task", "deleted", one, name)
    assert event.text("ce_id") == deleted.value["event_id"]


@pytest.mark.parametrize("fault", [Fault("status", status=200, body="html"), Fault("cut")], ids=["HTML", "cut off"])
async def test_a_search_that_copper_answers_unreadably_is_asked_again(
    shared: Stage, customer: Account, fault: Fault
) -> None:
    customer.create("company", {"name": "There"})
    fault.account, fault.path, fault.hits = customer.name, "/companies/search", 0
    shared.copper.fault(fault)
    reply = await shared.ask(customer.name, "company", "search", data={"name": "There"})
    assert (reply.value["status"], reply.value["attempts"]) == ("succeeded", 2)
    assert [record["name"] for record in reply.value["records"]] == ["There"]
