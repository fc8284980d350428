"""Control messages: what operators ask, in any form they may type it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.accounts import Sealed
from bridge.contract.control import Asked, Control, ControlRefused, control_record, decode_control
from bridge.contract.records import Incoming, Position
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

ACCOUNTS = ("acme", "zenith")


def record(value: bytes | None) -> Incoming:
    return Incoming(Position("copper.bridge.control", 1, 7), b"acme", value, (), 0)


def decoded(**members: object) -> Control | ControlRefused:
    return decode_control(record(orjson.dumps(members)), ACCOUNTS)


def test_a_message_is_read_as_it_was_written() -> None:
    for asked in Asked:
        entity, to = ("lead", 1_790_000_000) if asked is Asked.SET_CURSOR else (None, None)
        sealed = Sealed("token", "secret") if asked is Asked.CONNECT else None
        control = Control("c-1", asked, "acme", entity, to, sealed)
        written = control_record(control, TopicNames(), 4)
        assert written.partition == shard_of("acme", 4)
        assert decode_control(record(written.value), ACCOUNTS) == control


@pytest.mark.parametrize("account", ["initech", "a" * 64])
def test_only_who_connects_may_be_no_account_yet(account: str) -> None:
    sealed = {"token": "token", "secret": "secret"}
    control = decoded(id="c-1", type="connect", account=account, sealed=sealed)
    assert control == Control("c-1", Asked.CONNECT, account, sealed=Sealed("token", "secret"))
    assert isinstance(decoded(type="pause", account=account), ControlRefused)


@pytest.mark.parametrize("account", ["Big Co", "a" * 65, "acme/1", ""])
def test_an_account_may_not_have_any_name(account: str) -> None:
    sealed = {"token": "token", "secret": "secret"}
    assert isinstance(decoded(type="connect", account=account, sealed=sealed), ControlRefused)


@pytest.mark.parametrize(
    "sealed", [None, {}, {"token": "t"}, {"token": "t", "secret": 1}, {"token": "", "secret": "s"}]
)
def test_nobody_connects_an_account_without_a_sealed_token(sealed: object) -> None:
    assert decoded(id="c-1", type="connect", account="acme", sealed=sealed) == ControlRefused(
        "c-1", "acme", "connect is what the bridge asks of itself: send the customer a link instead"
    )


def test_a_message_without_an_id_is_known_by_its_place() -> None:
    assert decoded(type="sweep", account="acme") == Control("copper.bridge.control-1-7", Asked.SWEEP, "acme")


def test_a_bridge_with_one_account_needs_none_named() -> None:
    control = decode_control(record(b'{"type": "snapshot", "entity": "lead"}'), ["acme"])
    assert control == Control("copper.bridge.control-1-7", Asked.SNAPSHOT, "acme", "lead")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"snapshot", "is not JSON"),
        (b"[]", "no JSON object"),
        (b'{"type": "sweep", "account": "acme", "id": ""}', "id must be"),
        (b'{"type": "sweep", "account": "nobody"}', "account must be"),
        (b'{"type": "snapshott", "account": "acme"}', 'did you mean "snapshot"?'),
        (b'{"account": "acme"}', "type must be one of"),
        (b'{"type": "sweep", "account": "acme", "entty": "lead"}', 'did you mean "entity"?'),
        (b'{"type": "sweep", "account": "acme", "entity": "activity"}', "entity must be"),
        (b'{"type": "approve-deletes", "account": "acme", "entity": "lead"}', "leave entity out"),
        (b'{"type": "set-cursor", "account": "acme", "to": "2027-01-04T09:12:44Z"}', "entity must be"),
        (b'{"type": "set-cursor", "account": "acme", "entity": "lead"}', "to must be a time"),
        (b'{"type": "set-cursor", "account": "acme", "entity": "lead", "to": 7}', "to must be a time"),
        (b'{"type": "set-cursor", "account": "acme", "entity": "lead", "to": "2027-01-04"}', "to must be a time"),
        (
            b'{"type": "set-cursor", "entity": "lead", "account": "acme", "to": "9999-12-31T23:59:59-23:59"}',
            "to must be",
        ),
        (b'{"type": "sweep", "account": "acme", "to": "2027-01-04T09:12:44Z"}', "leave to out"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(value: bytes, reason: str) -> None:
    refused = decode_control(record(value), ACCOUNTS)
    assert isinstance(refused, ControlRefused)
    assert reason in refused.reason


@given(st.one_of(st.none(), st.binary(max_size=200), st.builds(orjson.dumps, st.dictionaries(st.text(), st.text()))))
def test_any_bytes_are_answered(value: bytes | None) -> None:
    assert isinstance(decode_control(record(value), ACCOUNTS), Control | ControlRefused)
