"""The judges of the fault tests bite: a history as it should be is found good, and each way to spoil it is found."""

from collections.abc import Callable
from random import Random

import pytest

from bridge.contract.events import Change, Kind, changed_fields, content_hash, records_of
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.sandbox.copper import Account, DoubleAccount, Knobs
from tests.faults.judging import Verdict, judge_events
from tests.faults.reading import Log
from tests.faults.traffic import People
from tests.faults.truth import Truth

NAMES = TopicNames()
Spoil = Callable[[list[Change]], None]


def _change(kind: Kind, before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    record = after or before or {}
    return Change(
        kind=kind,
        account="acme",
        entity="company",
        record_id=int(str(record["id"])),
        before=before,
        after=after,
        changed=changed_fields(before, after) if before and after else (),
        via="poll",
        date_modified=int(str(record["date_modified"])),
        content_hash=content_hash(record),
        happened_s=0.0,
    )


def _judged(spoil: Spoil) -> dict[str, int]:
    account = Account(DoubleAccount("acme", "key", "ops@acme.example"), Knobs(), lambda: 1_790_000_000.0, Random(1))  # noqa: S311 - a seed
    one = account.create("company", {"name": "One"})
    two = account.edit("company", one["id"], {"details": "2"})
    three = account.edit("company", one["id"], {"details": "3"})
    account.delete("company", one["id"])
    changes = [
        _change(Kind.CREATED, None, one),
        _change(Kind.UPDATED, one, two),
        _change(Kind.UPDATED, two, three),
        _change(Kind.DELETED, three, None),
    ]
    spoil(changes)
    log, verdict = Log(NAMES), Verdict()
    for offset, change in enumerate(changes):
        for record in records_of(change, NAMES, 0, 0):
            log.take([Incoming(Position(record.topic, 0, offset), record.key, record.value, record.headers, 0)])
    judge_events(verdict, log, [Truth(account, People(account, "1"), None)])  # type: ignore[arg-type] # no commands here
    return verdict.faults()


def _swap(changes: list[Change]) -> None:
    changes[1], changes[2] = changes[2], changes[1]


def test_a_history_as_it_should_be_is_good() -> None:
    assert _judged(lambda _changes: None) == {}


@pytest.mark.parametrize(
    ("found", "spoil"),
    [
        ("lost", lambda changes: changes.pop()),
        ("doubled", lambda changes: changes.insert(2, changes[1])),
        ("disordered", _swap),
        ("disordered", lambda changes: changes.pop(0)),
        ("disordered", lambda changes: changes.pop(1)),
        ("doubled", lambda changes: changes.append(changes[-1])),
    ],
)
def test_a_spoiled_history_is_found_out(found: str, spoil: Spoil) -> None:
    assert found in _judged(spoil)


def test_a_complaint_is_one_line_with_the_first_cases_of_each_kind_in_short() -> None:
    verdict = Verdict()
    verdict.wrong["doubled"] += []
    verdict.wrong["lost"] += ["acme company 7:\n  published never" + " and never" * 1000, "8", "9", "10"]
    told = verdict.complaint(7)
    assert told.startswith("seed 7; lost: 4 - acme company 7: published never and never")
    assert told.endswith("... | 8 | 9")
    assert (len(told) < 1000, "\n" in told) == (True, False)
