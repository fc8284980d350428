"""Notices of the inbox: what the bridge wrote is read as it was, and nothing else is read at all."""

import pytest

from bridge.contract.notices import LARGEST_ID, Notice, notice_record, read_notice
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames

NOTICE = Notice("acme", "lead", "updated", (1, LARGEST_ID), 1_790_000_402_123)
WRITTEN = notice_record(NOTICE, TopicNames(), 4)


def incoming(value: bytes | None) -> Incoming:
    return Incoming(Position(WRITTEN.topic, 0, 0), WRITTEN.key, value, WRITTEN.headers, 0)


def test_a_notice_is_read_as_it_was_written() -> None:
    assert read_notice(incoming(WRITTEN.value)) == NOTICE


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        (b'"acme"', b"null"),
        (b'"acme"', b"[" * 1_000 + b"]" * 1_000),
        (b'"lead"', b'{"a":' * 1_000 + b"1" + b"}" * 1_000),
        (b"[1,", b'["1",'),
        (b"[1,", b"[true,"),
        (b"[1,", b"[0,"),
        (b"[1,", b"[1.0,"),
        (b"[1,9223372036854775807]", b"[]"),
        (b"[1,9223372036854775807]", b'"17"'),
        (b"[1,9223372036854775807]", b'{"1":1}'),
        (b"9223372036854775807", b"9223372036854775808"),
        (b"1790000402123", b'"1790000402123"'),
        (b"1790000402123", b"1e9"),
        (b'"ids"', b'"id"'),
    ],
)
def test_a_notice_with_one_thing_wrong_in_it_is_none(text: bytes, odd: bytes) -> None:
    assert WRITTEN.value is not None
    value = WRITTEN.value.replace(text, odd)
    assert value != WRITTEN.value
    assert read_notice(incoming(value)) is None


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"7", b"\xff", b"[" * 5_000])
def test_what_is_no_object_is_no_notice(value: bytes | None) -> None:
    assert read_notice(incoming(value)) is None
