"""Signatures: what is signed gets through as it was signed, and as nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.commands import Command, Malformed, decode, forwarded
from bridge.contract.dead_letters import dead_letter, read_letter, redriven
from bridge.contract.failures import Code
from bridge.contract.headers import FORWARDED
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.signing import NO_KEYS, SIGNATURE, SIGNED, SigningKeys, sign_command
from bridge.contract.topics import TopicNames

NAMES = TopicNames()
TOPIC = NAMES.commands("company")
SECRET = b"a-secret-of-16+-characters"
KEYS = SigningKeys({"shop": SECRET, "erp": b"another-secret-for-another"})
VALUE = b'{"action": "update", "id": 66120934, "data": {"name": "Tideglass Ltd"}}'
HEADERS: Headers = (
    ("idempotency-key", b"order-4711"),
    ("correlation-id", b"42"),
    ("reply-to", b"shop.copper-replies"),
    ("deadline", b"2026-12-01T12:00:00Z"),
)
SEND = Incoming(Position(TOPIC, 1, 41), b"acme", VALUE, HEADERS, 0)
VECTORS = [
    (SEND, "94941a0fbe7c414c0263f1f20bdc3c5a7ab4ff0250616c3f2ece83eaef1158dc"),
    (
        replace(SEND, key=None, headers=()),
        "e7aa5dfaf3109fc4b13e41079f2436a6382f503393e89c6b48dfb56a2a7758fb",
    ),
    (
        replace(SEND, key=b"", headers=(("lane", b""),)),
        "b09c5a0c92aa3f60d983b75d8aa6e90c1b609b50f35568213ef2b1423e9c13f1",
    ),
]
JUDGED = "not one of a key of this bridge"


def signed(record: Incoming, key_id: str = "shop", secret: bytes = SECRET) -> Incoming:
    header = sign_command(record.position.topic, record.key, record.value, record.headers, key_id=key_id, secret=secret)
    return replace(record, headers=(*record.headers, header))


def read(record: Incoming, keys: SigningKeys = KEYS) -> Command | Malformed:
    entity = record.position.topic.split(".")[1]
    return decode(record, entity=entity, names=NAMES, accounts=["acme"], allowed_replies=["*"], keys=keys)


def refused(record: Incoming, keys: SigningKeys = KEYS) -> str:
    """What a caller is told, who is told nothing but that the command is not allowed."""
    found = read(record, keys)
    assert isinstance(found, Malformed)
    assert found.failure.code is Code.FORBIDDEN
    assert set(found.failure.fields or ()) == {SIGNATURE}
    assert (found.account, found.action) == ("acme", "update")
    return found.failure.detail


def with_header(record: Incoming, name: str, value: bytes) -> Incoming:
    """The record with this as the first header of that name."""
    return replace(record, headers=((name, value), *record.headers))


@pytest.mark.parametrize(("record", "mac"), VECTORS)
def test_signatures_stay_as_others_compute_them(record: Incoming, mac: str) -> None:
    name, value = sign_command(TOPIC, record.key, record.value, record.headers, key_id="shop", secret=SECRET)
    assert (name, value.decode()) == (SIGNATURE, f"v1;shop;{mac}")


@pytest.mark.parametrize("secret", [("shop", SECRET), ("erp", b"another-secret-for-another")], ids=["shop", "erp"])
def test_a_command_signed_with_any_of_the_keys_gets_through(secret: tuple[str, bytes]) -> None:
    assert isinstance(read(signed(SEND, *secret)), Command)


def test_without_keys_signatures_are_neither_asked_for_nor_looked_at() -> None:
    assert isinstance(read(SEND, NO_KEYS), Command)
    assert isinstance(read(with_header(SEND, SIGNATURE, b"\xff"), NO_KEYS), Command)


def test_a_command_without_a_signature_is_refused() -> None:
    assert refused(SEND) == "this bridge takes signed commands only: the header copper-signature is missing"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"", "must be v1;<key id>;"),
        (b"\xff\xfe", "must be v1;<key id>;"),
        (b"v2;shop;00", "must be v1;<key id>;"),
        (b"v1;shop", JUDGED),
        (b"v1;shop;", JUDGED),
        (b"v1;;" + b"0" * 64, JUDGED),
        (b"v1;shop;" + b"0" * 64, JUDGED),
        (b"v1;shop;\xff\x00", JUDGED),
        (b"v1;shop;" + b"0" * 100_000, JUDGED),
    ],
)
def test_what_is_no_signature_of_ours_is_refused(header: bytes, told: str) -> None:
    assert told in refused(with_header(SEND, SIGNATURE, header))


def test_a_key_that_there_is_not_cannot_be_told_from_a_wrong_signature() -> None:
    assert refused(signed(SEND, "nobody")) == refused(signed(SEND, "erp"))
    empty = sign_command(TOPIC, SEND.key, SEND.value, SEND.headers, key_id="nobody", secret=b"")
    assert JUDGED in refused(with_header(SEND, *empty))


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("value", [b"", b"order-4711"])
def test_no_header_that_means_something_can_be_added_or_changed(name: str, value: bytes) -> None:
    found = read(with_header(signed(SEND), name, value))
    same = name == "idempotency-key" and value == b"order-4711"
    assert isinstance(found, Command) == same


@pytest.mark.parametrize("name", [name for name, _ in HEADERS])
def test_no_header_that_was_signed_can_be_taken_away(name: str) -> None:
    record = signed(SEND)
    assert JUDGED in refused(replace(record, headers=tuple(each for each in record.headers if each[0] != name)))


def test_key_value_and_topic_cannot_be_changed() -> None:
    record = signed(SEND)
    for changed in (
        replace(record, key=b"globex"),
        replace(record, key=None),
        replace(record, value=VALUE.replace(b"66120934", b"66120935")),
        replace(record, value=VALUE + b" "),
        replace(record, position=Position(NAMES.commands("person"), 1, 41)),
    ):
        assert JUDGED in refused(changed)


PARTS = st.lists(st.none() | st.binary(max_size=6) | st.sampled_from([b"-,", b"0:,", b"1:a,"]), min_size=5, max_size=5)


@given(PARTS, PARTS)
def test_two_records_that_differ_in_anything_have_different_signatures(
    one: list[bytes | None], other: list[bytes | None]
) -> None:
    def mac(parts: list[bytes | None]) -> tuple[str, bytes]:
        key, value, *rest = parts
        headers = tuple((name, raw) for name, raw in zip(SIGNED, rest, strict=False) if raw is not None)
        return sign_command(TOPIC, key, value, headers, key_id="shop", secret=SECRET)

    assert (mac(one) == mac(other)) == (one == other)


@pytest.mark.parametrize("name", ["idempotency-key", "deadline"])
def test_a_signed_command_that_could_be_sent_again_later_is_refused(name: str) -> None:
    record = replace(SEND, headers=tuple(header for header in HEADERS if header[0] != name))
    assert refused(signed(record)).startswith("a signed command needs the header ")
    assert name in refused(signed(record))


def test_headers_that_mean_nothing_to_the_bridge_may_be_added_on_the_way() -> None:
    assert isinstance(read(with_header(signed(SEND), "traceparent", b"00-1-1-01")), Command)


def test_a_signed_command_that_is_moved_or_put_back_stays_signed() -> None:
    record = signed(SEND)
    moved = forwarded(record, 3)
    assert moved.headers[-1][0] == FORWARDED
    assert isinstance(read(replace(record, position=Position(TOPIC, 3, 900), headers=moved.headers)), Command)
    found = read(record, SigningKeys({"later": SECRET}))
    assert isinstance(found, Malformed)
    buried = dead_letter(record, found.failure, 0, NAMES, "company", 1)
    letter = read_letter(replace(record, position=Position(buried.topic, 1, 7), headers=buried.headers), NAMES)
    assert letter is not None
    back = redriven(letter)
    assert isinstance(read(replace(record, position=Position(back.topic, 1, 99), headers=back.headers)), Command)
    mended = redriven(letter, VALUE.replace(b"Ltd", b"plc"))
    assert JUDGED in refused(replace(record, value=mended.value, headers=mended.headers))


def test_a_command_that_breaks_its_schema_is_told_so_whether_it_is_signed_or_not(
    incoming: Callable[..., Incoming],
) -> None:
    found = read(incoming(b'{"action": "update"}'))
    assert isinstance(found, Malformed)
    assert found.failure.code is Code.INVALID


def test_no_secret_shows() -> None:
    assert "secret" not in repr(KEYS).replace("secrets", "")


def test_the_reference_shows_these_signatures() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/contract.md").read_text(encoding="utf-8")
    names = "`, `".join(SIGNED)
    assert f"`{names}`" in " ".join(text.split())
    assert all(mac in text for _, mac in VECTORS)
