from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bridge.contract.accounts import Connected, Entry, Pending, Sealed, Standing, entry_record, forgotten, read_entry
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

NAMES = TopicNames()
ACME = Connected("acme", Sealed("ciphertext", "more"), Standing.CONNECTED, 1_800_000_000_000, 1_800_000_000_001)
ENTRIES = [ACME, replace(ACME, standing=Standing.LEAVING, forget=True), Pending("acme", "ab12", 1_800_000_000.5)]


def _read(key: bytes | None, value: bytes | None) -> tuple[type[Entry], str, Entry | None] | None:
    return read_entry(Incoming(Position(NAMES.accounts, 0, 0), key, value, (), 0))


def _again(record: Outgoing) -> tuple[type[Entry], str, Entry | None] | None:
    return _read(record.key, record.value)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_read_as_it_was_written_from_its_accounts_shard(entry: Entry) -> None:
    record = entry_record(entry, NAMES, 7)
    assert _again(record) == (type(entry), "acme", entry)
    assert record.partition == shard_of("acme", 7)


@pytest.mark.parametrize(("pending", "kind"), [(True, Pending), (False, Connected)])
def test_what_is_removed_is_removed_by_its_kind(pending: bool, kind: type[Entry]) -> None:
    assert _again(forgotten("acme", NAMES, 7, pending=pending)) == (kind, "acme", None)


def test_an_entry_shows_no_ciphertext() -> None:
    assert "ciphertext" not in repr(ACME)


@given(st.binary(), st.binary())
def test_any_record_may_lie_in_the_topic(key: bytes, value: bytes) -> None:
    _read(key, value)


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'{"standing": "odd"}', b"\xff"])
def test_a_record_that_cannot_be_read_says_nothing(value: bytes) -> None:
    assert _read(b"acme", value) is None
    assert _read(b"acme/pending", value) is None
