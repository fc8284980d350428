import struct
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, decode, encode, forwarded
from bridge.contract.failures import Code
from bridge.contract.headers import COMMAND_ID, CORRELATION, DEADLINE, FORWARDED, REPLY_PARTITION, REPLY_TOPIC
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames

Decoded = Callable[..., Any]
UPDATE = b'{"action": "update", "id": 66120934, "data": {"name": "Tideglass Ltd"}}'


def test_a_command_typed_by_hand_needs_no_header(decoded: Decoded) -> None:
    command = decoded(UPDATE)
    assert isinstance(command, Command)
    assert (command.action, command.record_id, command.data) == ("update", 66120934, {"name": "Tideglass Ltd"})
    assert (command.account, command.lane, command.deadline) == ("acme", "interactive", None)
    assert command.id == "copper.company.commands-1-41"
    assert (command.reply.topic, command.reply.partition, command.reply.correlation) == (
        "copper.company.replies",
        None,
        (),
    )


def test_the_first_header_of_each_family_wins(decoded: Decoded) -> None:
    command = decoded(
        UPDATE,
        ("ce_id", b"second"), ("idempotency-key", b"first"),
        ("correlation_id", b"3"), ("correlation-id", b"2"), ("kafka_correlationId", b"\x00\xff\x01"),
        ("reply_to", b"c.copper-replies"), ("reply-to", b"b.copper-replies"), ("kafka_replyTopic", b"a.copper-replies"),
        ("deadline", b"2027-01-04T09:12:44Z"), ("ce_expirytime", b"2026-01-04T10:12:44.5+01:00"),
    )  # fmt: skip
    assert isinstance(command, Command)
    assert command.id == "first"
    assert command.reply.correlation == (("kafka_correlationId", b"\x00\xff\x01"),)
    assert command.reply.topic == "a.copper-replies"
    assert command.deadline == 1767517964.5


@pytest.mark.parametrize("name", CORRELATION)
def test_correlation_is_echoed_under_the_name_it_came_with(decoded: Decoded, name: str) -> None:
    assert decoded(UPDATE, (name, b"\xfe\x00")).reply.correlation == ((name, b"\xfe\x00"),)


@pytest.mark.parametrize("name", REPLY_TOPIC)
def test_a_reply_topic_may_be_named_by_any_family(decoded: Decoded, name: str) -> None:
    assert decoded(UPDATE, (name, b"shop.copper-replies")).reply.topic == "shop.copper-replies"


@pytest.mark.parametrize("name", DEADLINE)
def test_a_deadline_may_be_named_by_any_family(decoded: Decoded, name: str) -> None:
    assert decoded(UPDATE, (name, b"1970-01-01T00:01:00Z")).deadline == 60.0


def test_an_id_of_cloudevents_counts_within_its_source(decoded: Decoded) -> None:
    assert decoded(UPDATE, ("ce_id", b"9f1c")).id == "9f1c"
    assert decoded(UPDATE, ("ce_id", b"9f1c"), ("ce_source", b"/shop")).id == "/shop#9f1c"
    assert decoded(UPDATE, ("idempotency-key", b"9f1c"), ("ce_source", b"/shop")).id == "9f1c"


@pytest.mark.parametrize(
    "topic",
    [b"elsewhere", b"copper.company.state", b"copper.company.changes", b"copper.lead.commands",
     b"copper.bridge.journal", b"copper.bridge.x.replies", b"__consumer_offsets", b"a b.copper-replies",
     b"", b"\xff.copper-replies", b"a" * 250 + b".copper-replies"],
)  # fmt: skip
def test_a_reply_topic_that_is_not_allowed_gives_the_default_one_and_is_named(decoded: Decoded, topic: bytes) -> None:
    command = decoded(UPDATE, ("reply-to", topic), (REPLY_PARTITION, b"\0\0\0\7"))
    assert isinstance(command, Command)
    assert (command.reply.topic, command.reply.partition) == ("copper.company.replies", None)
    assert command.reply.refused == topic.decode(errors="replace")[:249]


def test_an_allow_list_of_everything_still_spares_the_bridges_own_topics(incoming: Callable[..., Incoming]) -> None:
    for topic in [b"copper.company.created", b"copper.company.commands-dlt", b"copper.bridge.cursors"]:
        record = incoming(UPDATE, ("reply-to", topic))
        command = decode(record, entity="company", names=TopicNames(), accounts=["acme"], allowed_replies=["*"])
        assert command.reply.refused == topic.decode()


def test_the_reply_partition_is_four_bytes_big_endian(decoded: Decoded) -> None:
    assert decoded(UPDATE, (REPLY_PARTITION, b"\0\0\1\2")).reply.partition == 258


@pytest.mark.parametrize(
    ("name", "value"),
    [("idempotency-key", b""), ("idempotency-key", b"\xff"), ("idempotency-key", b"a" * 256), ("ce_id", b"a\nb"),
     ("deadline", b"tomorrow"), ("deadline", b"2027-01-04T09:12:44"), ("deadline", b"2027-13-04T09:12:44Z"),
     ("ce_expirytime", b"2027-W01-1T09:12:44Z"), ("lane", b"fast"), (REPLY_PARTITION, b"3"),
     (REPLY_PARTITION, b"\xff\xff\xff\xff"), ("ce_type", b"copper.lead.update.v1"),
     ("ce_type", b"copper.company.update.v2")],
)  # fmt: skip
def test_a_header_that_cannot_be_read_makes_the_command_malformed_and_is_named(
    decoded: Decoded, name: str, value: bytes
) -> None:
    refused = decoded(UPDATE, (name, value))
    assert isinstance(refused, Malformed)
    assert refused.failure.code is Code.MALFORMED
    assert set(refused.failure.fields or ()) == {name}


def test_the_action_may_be_given_by_the_type_header(decoded: Decoded) -> None:
    command = decoded(b'{"id": 7}', ("ce_type", b"copper.company.get.v1"))
    assert isinstance(command, Command)
    assert command.action == "get"


def test_a_type_header_of_somebody_elses_says_nothing_about_the_action(decoded: Decoded) -> None:
    assert isinstance(decoded(UPDATE, ("ce_type", b"com.shop.customer-renamed")), Command)


def test_an_action_that_differs_from_its_type_header_is_malformed(decoded: Decoded) -> None:
    refused = decoded(UPDATE, ("ce_type", b"copper.company.delete.v1"))
    assert (refused.failure.code, refused.failure.fields) == (
        Code.MALFORMED,
        {"action": ("differs from the header ce_type",)},
    )


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b'"update"', b"null", b"NaN", b"\xff\xfe", b'{"a":' * 40 + b"1" + b"}" * 40]
)
def test_a_value_that_is_no_shallow_json_object_is_malformed_and_its_reply_address_is_kept(
    decoded: Decoded, value: bytes | None
) -> None:
    refused = decoded(value, ("idempotency-key", b"9f1c"), ("reply-to", b"shop.copper-replies"))
    assert isinstance(refused, Malformed)
    assert (refused.failure.code, refused.id, refused.action) == (Code.MALFORMED, "9f1c", None)
    assert refused.reply.topic == "shop.copper-replies"


def test_a_value_that_nests_too_deep_is_refused_before_anything_else_looks_at_it(decoded: Decoded) -> None:
    refused = decoded(b'{"action": "get", "id": ' + b"[" * 900 + b"]" * 900 + b"}")
    assert (refused.failure.code, refused.failure.detail) == (Code.MALFORMED, "the value nests deeper than 12 levels")


def test_a_header_that_is_no_text_is_not_quoted(decoded: Decoded) -> None:
    assert decoded(UPDATE, ("lane", b"\xff")).failure.fields == {"lane": ("must be UTF-8 text",)}


def test_an_unknown_action_is_told_what_there_is(decoded: Decoded) -> None:
    refused = decoded(b'{"action": "updte", "id": 7}')
    assert refused.failure.code is Code.UNKNOWN_ACTION
    assert 'did you mean "update"?' in refused.failure.detail
    assert "search" in refused.failure.detail
    assert refused.action is None


def test_an_action_of_another_entity_is_unknown(decoded: Decoded) -> None:
    assert decoded(b'{"action": "upsert"}').failure.code is Code.UNKNOWN_ACTION


@pytest.mark.parametrize("value", [b"{}", b'{"action": null}', b'{"action": 7}'])
def test_a_command_without_a_readable_action_is_malformed(decoded: Decoded, value: bytes) -> None:
    refused = decoded(value)
    assert (refused.failure.code, set(refused.failure.fields)) == (Code.MALFORMED, {"action"})


def test_the_account_may_be_left_out_only_when_there_is_one(decoded: Decoded) -> None:
    assert decoded(b'{"action": "get", "id": 7}', accounts=["acme", "zeta"]).failure.code is Code.UNKNOWN_ACCOUNT
    command = decoded(b'{"action": "get", "id": 7, "account": "zeta"}', accounts=["acme", "zeta"])
    assert isinstance(command, Command)
    assert command.account == "zeta"


def test_an_account_the_bridge_does_not_serve_is_unknown(decoded: Decoded) -> None:
    refused = decoded(b'{"action": "get", "id": 7, "account": "nobody"}')
    assert (refused.failure.code, refused.account) == (Code.UNKNOWN_ACCOUNT, None)


def test_a_forwarded_command_keeps_the_position_and_the_id_it_had(incoming: Callable[..., Incoming]) -> None:
    moved = forwarded(incoming(UPDATE), 3)
    arrived = Incoming(Position(moved.topic, 3, 900), moved.key, moved.value, moved.headers, 1790000409000)
    command = decode(arrived, entity="company", names=TopicNames(), accounts=["acme"], allowed_replies=[])
    assert isinstance(command, Command)
    assert (command.id, command.position) == (
        "copper.company.commands-1-41",
        Position("copper.company.commands", 1, 41),
    )


def test_a_command_forwarded_twice_keeps_its_first_position(incoming: Callable[..., Incoming]) -> None:
    first = forwarded(incoming(UPDATE), 3)
    again = forwarded(Incoming(Position(first.topic, 3, 900), first.key, first.value, first.headers, 0), 2)
    assert [value for name, value in again.headers if name == FORWARDED] == [b"copper.company.commands-1-41"]


def test_a_mark_of_the_callers_own_making_does_not_take_the_identity_of_a_command_that_is_moved(
    incoming: Callable[..., Incoming],
) -> None:
    moved = forwarded(incoming(UPDATE, (FORWARDED, b"nonsense")), 3)
    assert [value for name, value in moved.headers if name == FORWARDED] == [b"copper.company.commands-1-41"]


@pytest.mark.parametrize("value", [b"copper.lead.commands-1-41", b"nonsense", b"\xff", b"copper.company.commands--1-4"])
def test_a_forwarding_mark_that_is_not_of_this_topic_is_ignored(decoded: Decoded, value: bytes) -> None:
    assert decoded(UPDATE, (FORWARDED, value)).position == Position("copper.company.commands", 1, 41)


def test_the_fingerprint_sees_what_is_asked_and_not_how_it_is_written(decoded: Decoded) -> None:
    one = decoded(b'{"action":"update","id":7,"data":{"name":"A","details":"B"}}')
    same = decoded(b' {"data": {"details": "B", "name": "A"}, "id": 7, "account": "acme", "action": "update"}')
    other = decoded(b'{"action":"update","id":7,"data":{"name":"A","details":"C"}}')
    guarded = decoded(b'{"action":"update","id":7,"data":{"name":"A","details":"B"},"expect":{"name":"Z"}}')
    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, other.fingerprint, guarded.fingerprint}) == 3
    assert len(one.fingerprint) == 32


def test_what_a_caller_encodes_is_what_is_decoded(decoded: Decoded) -> None:
    value, headers = encode(
        "update", account="acme", record_id=7, data={"details": None}, expect={"name": "A"}, command_id="9f1c",
        correlation=b"\x00\x01", reply_topic="shop.copper-replies", reply_partition=5, deadline=1790000000.25,
        lane="bulk",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )  # fmt: skip
    command = decoded(value, *headers)
    assert isinstance(command, Command)
    assert (command.id, command.record_id, command.data, command.expect) == (
        "9f1c",
        7,
        {"details": None},
        {"name": "A"},
    )
    assert (command.reply.topic, command.reply.partition) == ("shop.copper-replies", 5)
    assert command.reply.correlation == (("correlation-id", b"\x00\x01"),)
    assert (command.deadline, command.lane) == (1790000000.25, "bulk")


def test_a_command_shows_none_of_its_headers(decoded: Decoded) -> None:
    assert "canary" not in repr(decoded(UPDATE, ("authorization", b"canary")))


NAMES_OF_HEADERS = [
    *COMMAND_ID,
    *CORRELATION,
    *REPLY_TOPIC,
    *DEADLINE,
    REPLY_PARTITION,
    "lane",
    "ce_type",
    "ce_source",
    FORWARDED,
    "spring_json_header_types",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.fixed_dictionaries(
    {"action": st.sampled_from(sorted({row.name for row in CATALOGUE.actions})) | JSON},
    optional=dict.fromkeys(["id", "email", "data", "match", "expect", "account", "nonsense"], JSON)
    | {"data": st.dictionaries(st.sampled_from(["name", "emails", "email", "tags", "status", "custom_fields"]), JSON)},
)
VALUES = st.none() | st.binary(max_size=40) | JSON.map(orjson.dumps) | MEMBERS.map(orjson.dumps)
HEADERS = st.lists(
    st.tuples(st.sampled_from(NAMES_OF_HEADERS) | st.text(max_size=8), st.binary(max_size=24)), max_size=6
)


@given(VALUES, st.none() | st.binary(max_size=8), HEADERS, st.sampled_from(list(CATALOGUE.entities)))
@example(b'{"action":"get","id":1e400}', None, [("deadline", b"0001-01-01T00:00:00+14:00")], "lead")
@example(b"{}", None, [("ce_id", b'"\\u0000"'), ("spring_json_header_types", b'{"ce_id":1}')], "task")
@example(b"[" * 100_000, b"", [("deadline", b"9999-12-31T23:59:59-14:00")], "task")
@example(
    b'{"action":"get","id":' + b"9" * 400 + b"}", None, [(FORWARDED, b"copper.lead.commands-\xd9\xa1-\xd9\xa2")], "lead"
)
def test_any_bytes_give_a_command_or_a_malformed_and_never_an_exception(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes]], entity: str
) -> None:
    names = TopicNames()
    record = Incoming(Position(names.commands(entity), 0, 1), key, value, tuple(headers), -1)
    found = decode(record, entity=entity, names=names, accounts=["acme"], allowed_replies=["*"])
    assert isinstance(found, Command | Malformed)
    assert found.id
    if isinstance(found, Command):
        assert CATALOGUE.action(entity, found.action)
        assert found.record_id is None or (type(found.record_id) is int and found.record_id > 0)


def test_a_reply_partition_as_spring_writes_it_is_understood(decoded: Decoded) -> None:
    assert decoded(UPDATE, (REPLY_PARTITION, struct.pack(">i", 3))).reply.partition == 3
