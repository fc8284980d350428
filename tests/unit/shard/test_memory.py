from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from bridge.contract.events import Change, Kind, content_hash, records_of
from bridge.contract.records import Incoming, Outgoing, Position
from bridge.contract.topics import TopicNames
from bridge.shard.memory import Kept, Memory

NAMES = TopicNames()
TOPICS = {
    NAMES.state("company"): ("state", "company"),
    NAMES.state("person"): ("state", "person"),
    NAMES.cursors: ("cursor", ""),
    NAMES.journal: ("journal", ""),
}
IDENTITY = {"cluster": "one", "shard": "0"}
NOW = 1_790_000_000.0

Open = Callable[..., Memory]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the one file there is, at a time of one's choice."""
    made: list[Memory] = []

    def make(now: float = NOW, **identity: str) -> Memory:
        made.append(Memory(tmp_path / "deep" / "shard.sqlite", {**IDENTITY, **identity}, TOPICS, lambda: now))
        return made[-1]

    yield make
    for memory in made:
        memory.close()


def _state(record_id: int, name: str | None, modified: int = 1_789_000_000) -> Outgoing:
    """The state row of a record, or of its delete."""
    record = {"id": record_id, "name": name or "gone", "date_modified": modified}
    change = Change(
        kind=Kind.DELETED if name is None else Kind.CREATED,
        account="acme",
        entity="company",
        record_id=record_id,
        before=record if name is None else None,
        after=None if name is None else record,
        changed=(),
        via="poll",
        date_modified=modified,
        content_hash=content_hash(record),
        happened_s=modified,
    )
    return records_of(change, NAMES, 0, 0)[-1]


def _cursor(key: str, value: bytes | None) -> Outgoing:
    return Outgoing(NAMES.cursors, 0, key.encode(), value)


def _journal(key: str, value: bytes | None) -> Outgoing:
    return Outgoing(NAMES.journal, 0, key.encode(), value)


def _read(record: Outgoing, offset: int, at: float = NOW) -> Incoming:
    return Incoming(Position(record.topic, 0, offset), record.key, record.value, record.headers, round(at * 1000))


def _learn(memory: Memory, *records: Outgoing, **ends: int) -> None:
    memory.begin()
    for record in records:
        memory.learn(record)
    memory.keep({getattr(NAMES, topic): end for topic, end in ends.items()})


def _everything(memory: Memory) -> dict[str, object]:
    return {
        **{f"company {number}": memory.known.record("company", f"acme/{number}") for number in range(4)},
        "cursor": memory.known.cursor("scan/acme/company"),
        "journal": memory.known.journal("acme/c-1"),
        "count": memory.known.count("company"),
    }


def test_what_is_learned_is_drafted_until_it_is_kept(opened: Open) -> None:
    memory = opened()
    memory.begin()
    memory.learn(_state(1, "Tideglass"))
    drafted, known = memory.drafted.record("company", "acme/1"), memory.known.record("company", "acme/1")
    memory.keep({NAMES.state("company"): 1})
    assert known is None
    assert drafted is not None
    assert drafted == memory.known.record("company", "acme/1")
    assert drafted.record() == {"id": 1, "name": "Tideglass", "date_modified": 1_789_000_000}
    assert (drafted.modified, drafted.at) == (1_789_000_000, NOW)
    assert content_hash(drafted.record() or {}).startswith(drafted.hash)
    assert len(drafted.hash) == 16


def test_what_is_forgotten_was_never_there(opened: Open) -> None:
    memory = opened()
    _learn(memory, _state(1, "Tideglass"), cursors=3)
    memory.begin()
    memory.learn(_state(1, "Tideglass Ltd"))
    memory.learn(_state(2, "Bluewater"))
    memory.forget()
    memory.forget()
    kept = memory.drafted.record("company", "acme/1")
    assert kept is not None
    assert orjson.loads(kept.value or b"")["name"] == "Tideglass"
    assert memory.drafted.record("company", "acme/2") is None
    assert memory.offsets() == {NAMES.cursors: 3}


def test_undo_takes_back_one_writer_and_leaves_those_before(opened: Open) -> None:
    memory = opened()
    memory.begin()
    memory.mark()
    memory.learn(_state(1, "first writer"))
    memory.mark()
    memory.learn(_state(1, "second writer"))
    memory.learn(_state(2, "second writer"))
    memory.undo()
    memory.mark()
    memory.learn(_state(3, "third writer"))
    memory.keep({})
    names = [kept and kept.record() for kept in (memory.known.record("company", f"acme/{n}") for n in (1, 2, 3))]
    assert [name and name["name"] for name in names] == ["first writer", None, "third writer"]


def test_a_replay_gives_the_memory_that_learning_gave(opened: Open, tmp_path: Path) -> None:
    records = [
        _state(1, "Tideglass"), _state(2, "Bluewater"), _state(1, "Tideglass Ltd", 1_789_000_100), _state(2, None),
        _state(3, None),
        _cursor("scan/acme/company", b'{"v": 1, "lower": 7}'), _cursor("position/x", b"{}"),
        _cursor("position/x", None),
        _journal("acme/c-1", b'{"v": 1, "state": "attempt"}'), _journal("acme/c-1", b'{"v": 1, "state": "done"}'),
        _journal("acme/c-2", b"{}"), _journal("acme/c-2", None),
        Outgoing(NAMES.changes("company"), 0, b"acme/1", b"{}"),
        Outgoing(NAMES.cursors, 0, None, b"nobody's"),
    ]  # fmt: skip
    learned = opened()
    _learn(learned, *records, cursors=4, journal=4)
    replayed = Memory(tmp_path / "other.sqlite", IDENTITY, TOPICS, lambda: NOW + 9000)
    changelog = [record for record in records if record.topic in TOPICS]
    replayed.replay([_read(record, n) for n, record in enumerate(changelog)], {NAMES.cursors: 4, NAMES.journal: 4})
    assert _everything(replayed) == _everything(learned)
    assert _everything(learned)["count"] == 1
    assert _everything(learned)["journal"] == {"v": 1, "state": "done"}
    assert replayed.offsets() == learned.offsets() == {NAMES.cursors: 4, NAMES.journal: 4}
    assert replayed.known.cursor("position/x") is None
    replayed.close()


def test_a_delete_leaves_a_trace_that_is_not_counted(opened: Open) -> None:
    memory = opened()
    _learn(memory, _state(1, "Tideglass"))
    _learn(memory, _state(1, None))
    kept = memory.known.record("company", "acme/1")
    assert kept == Kept(None, 1_789_000_000, kept.hash if kept else "", NOW)
    assert kept.record() is None
    assert memory.known.count("company") == 0


def test_a_state_row_without_a_readable_version_is_the_oldest_there_can_be(opened: Open) -> None:
    memory = opened()
    for number, ce_id in enumerate((b"", b"company:1:x:abc:created", b"company:1:7:abc", b"\xff:\xfe:9:abc:created")):
        _learn(memory, Outgoing(NAMES.state("company"), 0, f"acme/{number}".encode(), b"{}", (("ce_id", ce_id),)))
    versions = [memory.known.record("company", f"acme/{number}") for number in range(4)]
    assert [each and (each.modified, each.hash) for each in versions] == [(0, ""), (0, ""), (0, ""), (9, "abc")]


def test_it_is_all_there_again_after_a_restart(opened: Open) -> None:
    first = opened()
    _learn(first, _state(1, "Tideglass"), _cursor("scan/acme/company", b'{"lower": 7}'), cursors=12)
    before = _everything(first)
    first.begin()
    first.learn(_state(2, "never committed"))
    first.close()
    second = opened(NOW + 60)
    assert _everything(second) == before
    assert second.offsets() == {NAMES.cursors: 12}
    assert second.saved_at() == NOW


def test_a_new_file_was_never_saved_and_knows_nothing(opened: Open) -> None:
    memory = opened()
    assert memory.saved_at() is None
    assert memory.offsets() == {}


@pytest.mark.parametrize("foreign", [{"cluster": "two"}, {"shard": "1"}, {"partitions": "8"}])
def test_a_file_that_was_made_for_something_else_is_thrown_away(opened: Open, foreign: dict[str, str]) -> None:
    first = opened()
    _learn(first, _state(1, "Tideglass"), cursors=1)
    first.close()
    second = opened(**foreign)
    assert second.known.record("company", "acme/1") is None
    assert (second.offsets(), second.saved_at()) == ({}, None)


@pytest.mark.parametrize("damage", [b"no database", b"", b"SQLite format 3\x00" + b"\xff" * 500])
def test_a_damaged_file_is_thrown_away(opened: Open, tmp_path: Path, damage: bytes) -> None:
    first = opened()
    _learn(first, _state(1, "Tideglass"), cursors=1)
    first.close()
    (tmp_path / "deep" / "shard.sqlite").write_bytes(damage)
    second = opened()
    assert _everything(second)["company 1"] is None
    _learn(second, _state(1, "Tideglass"))
    assert _everything(second)["company 1"] is not None


def test_discarding_leaves_an_empty_memory_that_works(opened: Open) -> None:
    memory = opened()
    _learn(memory, _state(1, "Tideglass"), cursors=1)
    memory.begin()
    memory.learn(_state(2, "on its way"))
    memory.discard()
    assert (memory.known.record("company", "acme/1"), memory.offsets()) == (None, {})
    _learn(memory, _state(3, "after"), cursors=5)
    assert memory.known.record("company", "acme/3") is not None
    assert memory.offsets() == {NAMES.cursors: 5}


def test_pruning_drops_what_the_topics_drop_and_nothing_else(opened: Open) -> None:
    memory = opened()
    rows = [_state(1, "old but living"), _state(2, None), _journal("acme/old", b"{}"), _cursor("old", b"{}")]
    memory.replay([_read(record, 0, NOW - 1000) for record in rows], {})
    fresh = [_state(3, None), _journal("acme/fresh", b"{}")]
    memory.replay([_read(record, 1, NOW - 10) for record in fresh], {})
    memory.prune(journal_seconds=100, tombstone_seconds=100)
    assert [memory.known.record("company", f"acme/{number}") is not None for number in (1, 2, 3)] == [True, False, True]
    assert (memory.known.journal("acme/old"), memory.known.journal("acme/fresh")) == (None, {})
    assert memory.known.cursor("old") == {}
