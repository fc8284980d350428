from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.contract.failures import Code, Failure
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.replies import Reply, Status, failed, from_stored, read_reply, reply_record, stored
from bridge.contract.topics import TopicNames

Decoded = Callable[..., Any]
GET = b'{"action": "get", "id": 7}'
GONE = Failure(Code.NOT_FOUND, "Not found", "Copper has no such record", {"id": ("is gone",)}, 404)
DONE = Reply(
    Status.SUCCEEDED, record={"id": 7}, attempts=1, event_id="company:7:1:a:updated", queued_ms=3, copper_ms=181
)


ERROR = {"type": "not-found", "title": "", "detail": "", "fields": None, "http_status": 404, "retryable": False}


def test_a_reply_says_what_became_of_which_command(decoded: Decoded, names: TopicNames) -> None:
    record = reply_record(decoded(GET, ("idempotency-key", b"9f1c")), DONE, names, 2)
    assert (record.topic, record.partition, record.key) == ("copper.company.replies", 2, b"acme")
    assert orjson.loads(record.value or b"") == {
        "status": "succeeded",
        "record": {"id": 7},
        "records": None,
        "error": None,
        "duplicate": False,
        "attempts": 1,
        "command": {
            "id": "9f1c",
            "action": "get",
            "entity": "company",
            "account": "acme",
            "topic": "copper.company.commands",
            "partition": 1,
            "offset": 41,
        },
        "event_id": "company:7:1:a:updated",
        "timing": {"queued_ms": 3, "copper_ms": 181},
    }


def test_the_headers_of_a_reply_echo_the_correlation_and_name_the_cause(decoded: Decoded, names: TopicNames) -> None:
    command = decoded(GET, ("idempotency-key", b"9f1c"), ("kafka_correlationId", b"\x00\xff"))
    assert dict(reply_record(command, DONE, names, 2).headers) == {
        "kafka_correlationId": b"\x00\xff",
        "ce_specversion": b"1.0",
        "ce_id": b"9f1c:reply",
        "ce_source": b"/copper/acme",
        "ce_type": b"copper.company.get.reply.v1",
        "ce_causationid": b"9f1c",
        "content-type": b"application/json",
        "status": b"succeeded",
    }


def test_anything_but_success_carries_its_code_as_a_header_and_its_reasons_in_the_value(
    decoded: Decoded, names: TopicNames
) -> None:
    record = reply_record(decoded(GET), failed(GONE, attempts=1), names, 2)
    assert dict(record.headers)["copper-bridge-error"] == b"not-found"
    assert orjson.loads(record.value or b"")["error"] == {
        "type": "not-found",
        "title": "Not found",
        "detail": "Copper has no such record",
        "fields": {"id": ["is gone"]},
        "http_status": 404,
        "retryable": False,
    }


def test_a_refused_reply_topic_is_named_in_a_header(decoded: Decoded, names: TopicNames) -> None:
    record = reply_record(decoded(GET, ("reply-to", b"elsewhere")), DONE, names, 2)
    assert (record.topic, dict(record.headers)["reply-to-refused"]) == ("copper.company.replies", b"elsewhere")


def test_a_reply_names_the_work_of_the_bridge_and_not_the_callers_span(decoded: Decoded, names: TopicNames) -> None:
    command = decoded(GET, ("traceparent", b"00-a-caller-01"), ("tracestate", b"vendor=7"))
    assert not {"traceparent", "tracestate"} & dict(reply_record(command, DONE, names, 2).headers).keys()
    traced = replace(command, reply=replace(command.reply, traceparent="00-a-ours-01"))
    headers = dict(reply_record(traced, DONE, names, 2).headers)
    assert (headers["traceparent"], "tracestate" in headers) == (b"00-a-ours-01", False)


def test_a_foreign_topic_has_its_own_partitions(decoded: Decoded, names: TopicNames) -> None:
    foreign = ("reply-to", b"shop.copper-replies")
    assert reply_record(decoded(GET, foreign), DONE, names, 2).partition is None
    chosen = decoded(GET, foreign, ("kafka_replyPartition", b"\0\0\0\5"))
    assert reply_record(chosen, DONE, names, 2).partition == 5


def test_a_command_that_cannot_be_read_is_answered_too(decoded: Decoded, names: TopicNames) -> None:
    refused = decoded(b"{", ("correlation-id", b"c"))
    record = reply_record(refused, failed(refused.failure), names, 2)
    headers, value = dict(record.headers), orjson.loads(record.value or b"")
    assert (headers["correlation-id"], headers["ce_source"]) == (b"c", b"/copper")
    assert headers["ce_type"] == b"copper.company.unknown.reply.v1"
    assert (value["command"]["action"], value["command"]["account"], value["status"]) == (None, None, "failed")


@pytest.mark.parametrize(
    "reply", [DONE, Reply(Status.SUCCEEDED, already=True), Reply(Status.SUCCEEDED, records=[{"id": 7}]), failed(GONE)]
)
def test_a_stored_answer_comes_back_as_a_duplicate_and_otherwise_unchanged(reply: Reply) -> None:
    again = from_stored(orjson.loads(orjson.dumps(stored(reply))))
    assert again.duplicate
    assert stored(again) == {**stored(reply), "duplicate": True}
    assert again.failure == reply.failure


def test_already_is_said_only_when_it_was_so(decoded: Decoded, names: TopicNames) -> None:
    value = orjson.loads(reply_record(decoded(GET), Reply(Status.SUCCEEDED, already=True), names, 0).value or b"")
    assert value["already"] is True
    assert "already" not in orjson.loads(reply_record(decoded(GET), DONE, names, 0).value or b"")


@pytest.mark.parametrize(
    ("status", "failure"), [(Status.SUCCEEDED, GONE), (Status.UNKNOWN, None), (Status.EXPIRED, None)]
)
def test_a_status_and_a_failure_that_do_not_fit_are_a_mistake_in_the_program(
    status: Status, failure: Failure | None
) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Reply(status, failure=failure)


@pytest.mark.parametrize(
    "reply",
    [
        DONE,
        failed(GONE, attempts=2),
        Reply(Status.SUCCEEDED, records=[{"id": 7}], duplicate=True),
        Reply(Status.SUCCEEDED, already=True),
        Reply(Status.UNKNOWN, failure=Failure(Code.UNAVAILABLE, "Unknown", "look", retryable=False)),
    ],
)
def test_a_reply_is_read_as_it_was_written(decoded: Decoded, names: TopicNames, reply: Reply) -> None:
    assert read_reply(_lying(reply_record(decoded(GET), reply, names, 2))) == reply


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[]", b"7", b"{}", b'{"status": "succeeded"}'])
def test_what_is_no_reply_is_read_as_none(value: bytes | None) -> None:
    assert read_reply(Incoming(Position("copper.company.replies", 0, 0), None, value, (), 0)) is None


@pytest.mark.parametrize(
    "change", [{"status": "postponed"}, {"error": {**ERROR, "type": "new-code"}}, {"timing": None}]
)
def test_a_reply_of_a_later_version_is_read_as_none(
    decoded: Decoded, names: TopicNames, change: dict[str, Any]
) -> None:
    record = _lying(reply_record(decoded(GET), failed(GONE), names, 2))
    assert read_reply(record) is not None
    value = orjson.loads(record.value or b"")
    assert read_reply(replace(record, value=orjson.dumps(value | change))) is None


def _lying(record: Outgoing) -> Incoming:
    return Incoming(Position(record.topic, 2, 0), record.key, record.value, record.headers, 1790000402123)
