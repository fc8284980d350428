"""Headers as other people's tools write them, and replies as these tools read them.

The records are what spring-kafka 4.1.2 and 3.3.16, FastStream 0.7.8 and kcat 1.7.1 put on a commands topic, byte for
byte.
"""

from collections.abc import Iterable
from datetime import datetime

import pytest

from bridge.contract.commands import Command, Malformed, decode
from bridge.contract.failures import Code, Failure
from bridge.contract.headers import ReplyAddress
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.replies import Reply, Status, failed, reply_record
from bridge.contract.topics import TopicNames

NAMES = TopicNames("copper")
ALLOWED = ("copper.*.replies", "*.copper-replies")
SHARD = 2

CORRELATION = bytes.fromhex("735b0c8668704a4aa11f2e7e5093bc1c")
"""Of Spring: sixteen bytes of a UUID, which are no UTF-8."""

SPRING_TEXT = Incoming(
    Position("copper.company.commands", 0, 0),
    b"acme",
    b'{"action": "create", "data": {"name": "Tideglass Ltd"}}',
    (("kafka_replyTopic", b"acme.copper-replies"), ("kafka_correlationId", CORRELATION)),
    1795603715000,
)
SPRING_JSON = Incoming(
    Position("copper.company.commands", 0, 5),
    b"acme",
    b'{"data":{"name":"On a partition"},"action":"create"}',
    (
        ("kafka_replyTopic", b"acme.copper-replies"),
        ("kafka_replyPartition", b"\x00\x00\x00\x01"),
        ("kafka_correlationId", CORRELATION),
        ("__TypeId__", b"java.util.ImmutableCollections$MapN"),
        ("__ContentTypeId__", b"java.lang.Object"),
        ("__KeyTypeId__", b"java.lang.Object"),
    ),
    1795603726000,
)
SPRING_RECORD = Incoming(
    Position("copper.company.commands", 0, 3),
    b"acme",
    b'{"action":"create","account":null,"id":null,"data":{"name":"By record"},"expect":null}',
    (("kafka_correlationId", CORRELATION), ("__TypeId__", b"Probe$Cmd")),
    1795603721000,
)
SPRING_QUOTES = Incoming(
    Position("copper.company.commands", 0, 39),
    b"acme",
    b'{"data":{"name":"Encoded strings"},"action":"create"}',
    (
        ("idempotency-key", b'"b3df25a4-c996-4971-bbc6-f44b53badc95"'),
        ("deadline", b'"2026-11-25T11:03:05.962889631Z"'),
        ("lane", b'"bulk"'),
        (
            "spring_json_header_types",
            b'{"idempotency-key":"java.util.UUID","deadline":"java.lang.String","lane":"java.lang.String"}',
        ),
        ("kafka_replyTopic", b"acme.copper-replies"),
        ("kafka_correlationId", CORRELATION),
        ("__TypeId__", b"java.util.ImmutableCollections$MapN"),
        ("__ContentTypeId__", b"java.lang.Object"),
        ("__KeyTypeId__", b"java.lang.Object"),
    ),
    1795604566000,
)
SPRING_PLAIN = Incoming(
    Position("copper.company.commands", 0, 6),
    b"acme",
    b'{"data":{"name":"By message"},"action":"create"}',
    (
        ("idempotency-key", b"msg-1-1795603726538"),
        ("x-uuid", b'"3b9237f4-e9b9-47b8-b33a-0df2d5d4db2a"'),
        ("deadline", b"2026-11-25T10:49:06.554796942Z"),
        (
            "spring_json_header_types",
            b'{"idempotency-key":"java.lang.String","x-uuid":"java.util.UUID","deadline":"java.lang.String"}',
        ),
        ("kafka_replyTopic", b"acme.copper-replies"),
        ("kafka_replyPartition", b"\x00\x00\x00\x01"),
        ("kafka_correlationId", CORRELATION),
    ),
    1795603726000,
)
FASTSTREAM = Incoming(
    Position("copper.company.commands", 0, 8),
    b"acme",
    b'{"action":"create","data":{"name":"FS dict"}}',
    (
        ("content-type", b"application/json"),
        ("correlation_id", b"a2f332a5-dc98-4d43-bd4e-9a114b7e476b"),
        ("reply_to", b"acme.copper-replies"),
    ),
    1795603800000,
)
FASTSTREAM_MODEL = Incoming(
    Position("copper.company.commands", 0, 9),
    b"acme",
    b'{"action":"create","account":null,"id":null,"data":{"name":"FS model"},"expect":null}',
    FASTSTREAM.headers,
    1795603800000,
)
FASTSTREAM_NOTHING = Incoming(
    Position("copper.company.commands", 0, 10),
    b"acme",
    None,
    (("content-type", b""), *FASTSTREAM.headers[1:]),
    1795603800000,
)
KCAT = Incoming(
    Position("copper.company.commands", 2, 5),
    b"acme",
    b'{"action": "create",\n "data": {"name": "From a file"}}\n',
    (
        ("idempotency-key", b"order-4711"),
        ("correlation-id", b"42"),
        ("reply-to", b"desk.copper-replies"),
        ("deadline", b"2026-11-25T12:26:40Z"),
        ("empty", b""),
    ),
    1795603928000,
)


def decoded(record: Incoming) -> Command | Malformed:
    return decode(record, entity="company", names=NAMES, accounts=("acme",), allowed_replies=ALLOWED)


def command_of(record: Incoming) -> Command:
    command = decoded(record)
    assert isinstance(command, Command), command.failure
    return command


def answered(record: Incoming, reply: Reply | None = None) -> Outgoing:
    return reply_record(decoded(record), reply or Reply(Status.SUCCEEDED, record={"id": 7}), NAMES, SHARD)


def named(headers: Headers, name: str) -> list[bytes]:
    return [raw for each, raw in headers if each == name]


@pytest.mark.parametrize(
    ("record", "reply"),
    [
        (SPRING_TEXT, ReplyAddress("acme.copper-replies", None, (("kafka_correlationId", CORRELATION),))),
        (SPRING_JSON, ReplyAddress("acme.copper-replies", 1, (("kafka_correlationId", CORRELATION),))),
        (SPRING_RECORD, ReplyAddress("copper.company.replies", None, (("kafka_correlationId", CORRELATION),))),
        (SPRING_QUOTES, ReplyAddress("acme.copper-replies", None, (("kafka_correlationId", CORRELATION),))),
        (FASTSTREAM, ReplyAddress("acme.copper-replies", None, (FASTSTREAM.headers[1],))),
        (FASTSTREAM_MODEL, ReplyAddress("acme.copper-replies", None, (FASTSTREAM.headers[1],))),
        (KCAT, ReplyAddress("desk.copper-replies", None, (("correlation-id", b"42"),))),
    ],
    ids=["spring text", "spring map", "spring record", "spring quotes", "faststream dict", "faststream model", "kcat"],
)
def test_what_a_tool_writes_is_a_command_with_the_reply_address_that_it_meant(
    record: Incoming, reply: ReplyAddress
) -> None:
    command = command_of(record)
    assert (command.action, command.account, command.record_id, command.expect) == ("create", "acme", None, None)
    assert command.data.keys() == {"name"}
    assert command.reply == reply


def test_members_that_a_class_has_and_nobody_set_are_as_if_they_were_absent() -> None:
    bare = Incoming(SPRING_RECORD.position, b"acme", b'{"action":"create","data":{"name":"By record"}}', (), 0)
    assert command_of(SPRING_RECORD).fingerprint == command_of(bare).fingerprint


def test_null_in_data_is_no_absence_it_clears() -> None:
    raw = b'{"action":"update","id":7,"account":null,"data":{"details":null}}'
    assert command_of(Incoming(FASTSTREAM.position, b"acme", raw, FASTSTREAM.headers, 0)).data == {"details": None}


def test_an_unknown_member_is_told_even_if_it_is_null() -> None:
    raw = b'{"action":"get","id":7,"acount":null}'
    refused = decoded(Incoming(FASTSTREAM.position, b"acme", raw, FASTSTREAM.headers, 0))
    assert isinstance(refused, Malformed)
    assert refused.failure.fields == {"acount": ('unknown field, did you mean "account"?',)}


def test_text_that_spring_put_in_quotes_is_what_was_meant() -> None:
    command = command_of(SPRING_QUOTES)
    assert command.id == "b3df25a4-c996-4971-bbc6-f44b53badc95"
    assert command.deadline == datetime.fromisoformat("2026-11-25T11:03:05.962889+00:00").timestamp()
    assert command.lane == "bulk"


def test_text_that_spring_left_without_quotes_is_read_as_it_is() -> None:
    command = command_of(SPRING_PLAIN)
    assert command.id == "msg-1-1795603726538"
    assert command.deadline == datetime.fromisoformat("2026-11-25T10:49:06.554796+00:00").timestamp()


@pytest.mark.parametrize(
    "types",
    [None, b"", b"{", b"[]", b'"idempotency-key"', b"\xff", b"{}", b'{"other":"java.util.UUID"}'],
    ids=["absent", "empty", "cut off", "a list", "text", "no UTF-8", "nothing named", "another named"],
)
def test_quotes_that_spring_does_not_own_up_to_belong_to_the_id(types: bytes | None) -> None:
    told: Headers = () if types is None else (("spring_json_header_types", types),)
    headers = (("idempotency-key", b'"a"'), *told)
    assert command_of(Incoming(KCAT.position, None, KCAT.value, headers, 0)).id == '"a"'


@pytest.mark.parametrize("raw", [b'"', b'"a', b'"\xff"', b'"\\ud800"'])
def test_an_id_that_only_begins_as_json_is_taken_as_any_other(raw: bytes) -> None:
    types = b'{"idempotency-key":"java.util.UUID"}'
    headers = (("idempotency-key", raw), ("spring_json_header_types", types))
    plain = decoded(Incoming(KCAT.position, None, KCAT.value, headers[:1], 0))
    assert decoded(Incoming(KCAT.position, None, KCAT.value, headers, 0)).id == plain.id


def test_a_correlation_in_quotes_is_echoed_with_them() -> None:
    types = ("spring_json_header_types", b'{"correlation-id":"java.util.UUID"}')
    record = Incoming(KCAT.position, None, KCAT.value, (("correlation-id", b'"42"'), types), 0)
    assert named(answered(record).headers, "correlation-id") == [b'"42"']


def test_a_message_without_a_body_is_answered_where_its_sender_waits() -> None:
    reply = answered(FASTSTREAM_NOTHING, failed(Failure(Code.MALFORMED, "t", "d")))
    assert reply.topic == "acme.copper-replies"
    assert named(reply.headers, "correlation_id") == [b"a2f332a5-dc98-4d43-bd4e-9a114b7e476b"]


def test_spring_finds_its_correlation_its_key_and_the_error_for_its_checker() -> None:
    good, bad = answered(SPRING_JSON), answered(SPRING_JSON, failed(Failure(Code.NOT_FOUND, "t", "d")))
    assert (good.topic, good.partition, good.key) == ("acme.copper-replies", 1, b"acme")
    assert named(good.headers, "kafka_correlationId") == [CORRELATION]
    assert named(good.headers, "copper-bridge-error") == []
    assert named(bad.headers, "copper-bridge-error") == [b"not-found"]


def test_no_type_that_spring_told_of_the_command_is_said_of_the_reply() -> None:
    """Its deserializer would make the reply an object of the command's class."""
    spoken = {name for record in (SPRING_JSON, SPRING_QUOTES) for name, _ in answered(record).headers}
    assert not any(name.startswith(("__", "spring_")) for name in spoken)


@pytest.mark.parametrize(
    "record", [FASTSTREAM, FASTSTREAM_MODEL, FASTSTREAM_NOTHING, KCAT], ids=["dict", "model", "nothing", "kcat"]
)
def test_faststream_and_kcat_can_read_every_header_of_their_replies_as_text(record: Incoming) -> None:
    replies: Iterable[Outgoing] = (answered(record), answered(record, failed(Failure(Code.INVALID, "t", "d"))))
    for reply in replies:
        text = {name: raw.decode() for name, raw in reply.headers}
        assert text["content-type"] == "application/json"
        assert len(text) == len(reply.headers)
        assert "reply_to" not in text, "FastStream would answer the reply"
