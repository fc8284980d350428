from typing import Any

import orjson

from bridge.contract.events import Change, Kind, content_hash
from bridge.policy.changes import Known, Reason, Sighting, Verdict, judge, judge_absence
from bridge.policy.sightings import Via

FOLLOWED = 1000


def record(modified: int = 1100, created: int = 1050, **fields: Any) -> dict[str, Any]:
    return {"id": 7, "name": "Tideglass", "date_created": created, "date_modified": modified} | fields


def known(**fields: Any) -> Known:
    kept = record(**fields)
    return Known(kept["date_modified"], content_hash(kept), seen_s=5000.0, value=orjson.dumps(kept))


def sighted(seen: dict[str, Any], before: Known | None, *, by_id: bool = False, asked: float = 6000.0) -> Verdict:
    sighting = Sighting("acme", "company", seen, Via.POLL, by_id, asked, causation_id="c-1")
    return judge(before, sighting, followed_since=FOLLOWED)


def change(verdict: Verdict) -> Change:
    assert isinstance(verdict, Change)
    return verdict


def test_a_first_sight_is_created_when_its_record_is_no_older_than_the_following() -> None:
    event = change(sighted(record(created=FOLLOWED), None))
    assert (event.kind, event.before, event.changed, event.happened_s) == (Kind.CREATED, None, (), 1100)


def test_a_first_sight_of_an_older_record_is_a_snapshot_row_and_never_an_update() -> None:
    event = change(sighted(record(created=FOLLOWED - 1), None))
    assert (event.kind, event.before, event.after) == (Kind.SNAPSHOT, None, record(created=FOLLOWED - 1))


def test_an_update_carries_what_was_known_and_names_what_differs() -> None:
    event = change(sighted(record(1200, name="Tideglass Ltd"), known()))
    assert event.kind is Kind.UPDATED
    assert (event.before, event.changed, event.date_modified) == (record(), ("name",), 1200)
    assert (event.record_id, event.causation_id, event.content_hash) == (
        7,
        "c-1",
        content_hash(record(name="Tideglass Ltd")),
    )


def test_the_same_version_is_no_event() -> None:
    assert sighted(record(), known()) is Reason.UNCHANGED


def test_a_new_stamp_alone_is_no_event() -> None:
    assert sighted(record(1200), known()) is Reason.ONLY_STAMP


def test_an_older_version_from_a_lagging_index_is_no_event() -> None:
    assert sighted(record(1099, name="Old"), known()) is Reason.STALE
    assert sighted(record(1099, name="Old"), known(), by_id=True) is Reason.STALE


def test_two_contents_within_one_second_are_in_doubt_until_read_by_id() -> None:
    other = record(name="Tideglass Ltd")
    assert sighted(other, known()) is Reason.DOUBTFUL
    assert change(sighted(other, known(), by_id=True)).kind is Kind.UPDATED


def test_a_reading_by_id_that_began_before_the_other_content_was_learned_leaves_the_doubt() -> None:
    assert sighted(record(name="Tideglass Ltd"), known(), by_id=True, asked=4999.0) is Reason.DOUBTFUL


def test_a_deleted_record_is_never_revived() -> None:
    gone = Known(1000, "", seen_s=5000.0, value=None)
    assert sighted(record(9999), gone, by_id=True) is Reason.TOMBSTONED


def absent(before: Known | None) -> Verdict:
    return judge_absence(before, account="acme", entity="company", record_id=7, via=Via.WEBHOOK, happened_s=1300.5)


def test_a_delete_says_what_was_deleted() -> None:
    event = change(absent(known()))
    assert (event.kind, event.before, event.after, event.seen) == (Kind.DELETED, record(), None, True)
    assert (event.happened_s, event.date_modified, event.content_hash) == (1300.5, 1100, content_hash(record()))


def test_a_delete_of_a_record_never_seen_says_so() -> None:
    event = change(absent(None))
    assert (event.before, event.seen, event.date_modified) == ({"id": 7}, False, 0)


def test_a_delete_is_told_once() -> None:
    assert absent(Known(1000, "", seen_s=1.0, value=None)) is Reason.TOMBSTONED
