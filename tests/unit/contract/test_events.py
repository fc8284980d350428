from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.events import (
    Change,
    Fate,
    Kind,
    changed_fields,
    content_hash,
    event_id,
    parse_state_key,
    records_of,
    state_key,
)
from bridge.contract.examples import change
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames

NAMES = TopicNames("crm")
NOW_MS = 1790000702123

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
CUSTOM = st.lists(
    st.fixed_dictionaries({"custom_field_definition_id": st.integers(1, 3), "value": SCALARS}), max_size=3
)
RECORDS = st.fixed_dictionaries(
    {"id": st.integers(1, 9)},
    optional={
        "name": SCALARS,
        "tags": st.lists(SCALARS, max_size=2) | st.none(),
        "address": st.none() | st.dictionaries(st.sampled_from(["city", "street"]), SCALARS),
        "custom_fields": CUSTOM | st.none(),
        "date_modified": st.integers(0, 9),
    },
)
CHANGES = st.builds(
    lambda entity, kind, account, via, seen: replace(change(entity, kind), account=account, via=via, seen=seen),
    st.sampled_from(CATALOGUE.followed),
    st.sampled_from(Kind),
    st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True),
    st.sampled_from(["poll", "webhook", "deep"]),
    st.booleans(),
)


def written(told: Change) -> dict[str, Outgoing]:
    return {record.topic: record for record in records_of(told, NAMES, 2, NOW_MS)}


@pytest.mark.parametrize(
    ("kind", "op", "topics"),
    [
        (Kind.CREATED, "c", ["crm.lead.created", "crm.lead.upserted", "crm.lead.changes", "crm.lead.state"]),
        (Kind.UPDATED, "u", ["crm.lead.updated", "crm.lead.upserted", "crm.lead.changes", "crm.lead.state"]),
        (Kind.DELETED, "d", ["crm.lead.deleted", "crm.lead.changes", "crm.lead.state"]),
        (Kind.SNAPSHOT, "r", ["crm.lead.changes", "crm.lead.state"]),
    ],
)
def test_a_change_is_written_to_all_its_topics_and_no_other(kind: Kind, op: str, topics: list[str]) -> None:
    records = written(change("lead", kind))
    assert list(records) == topics
    assert orjson.loads(records["crm.lead.changes"].value or b"")["op"] == op
    assert {record.partition for record in records.values()} == {2}
    assert {record.key for record in records.values()} == {b"acme/94901210"}


def test_the_envelope_has_the_whole_record_before_and_after() -> None:
    told = change("company", Kind.UPDATED)
    assert orjson.loads(written(told)["crm.company.updated"].value or b"") == {
        "op": "u",
        "ts_ms": NOW_MS,
        "before": told.before,
        "after": told.after,
        "changed": ["name"],
        "source": {
            "connector": "copper",
            "account": "acme",
            "entity": "company",
            "id": 66120934,
            "ts_ms": 1790000401000,
            "via": "poll",
            "class": "edit",
        },
    }


def test_state_carries_the_record_itself_with_the_headers_of_the_event() -> None:
    told = change("company", Kind.UPDATED)
    records = written(told)
    state, event = records["crm.company.state"], records["crm.company.updated"]
    assert orjson.loads(state.value or b"") == told.after
    assert dict(state.headers) == dict(event.headers) | {"ce_dataschema": b"urn:copper-kafka-bridge:company.record.v1"}


def test_a_delete_empties_the_state_keeps_its_headers_and_says_what_was_deleted() -> None:
    told = change("task", Kind.DELETED)
    records = written(told)
    state, event = records["crm.task.state"], orjson.loads(records["crm.task.deleted"].value or b"")
    assert state.value is None
    assert dict(state.headers)["ce_type"] == b"copper.task.deleted.v1"
    assert (event["before"], event["after"], event["changed"]) == (told.before, None, [])
    assert "seen" not in event["source"]


def test_a_converted_lead_says_what_it_became() -> None:
    told = replace(change("lead", Kind.DELETED), fate=Fate("converted", {"person": 7, "opportunity": 8}))
    record = written(told)["crm.lead.deleted"]
    assert orjson.loads(record.value or b"")["source"]["converted"] == {"person": 7, "opportunity": 8}
    assert dict(record.headers)["ce_deletereason"] == b"converted"


def test_a_suspected_merge_says_what_the_record_may_have_gone_into() -> None:
    told = replace(change("person", Kind.DELETED), fate=Fate("merge-suspected", {"person": 7}))
    record = written(told)["crm.person.deleted"]
    assert orjson.loads(record.value or b"")["source"]["merged"] == {"person": 7}
    assert dict(record.headers)["ce_deletereason"] == b"merge-suspected"


def test_a_plain_delete_gives_no_reason() -> None:
    record = written(change("person", Kind.DELETED))["crm.person.deleted"]
    assert "ce_deletereason" not in dict(record.headers)


def test_a_delete_of_a_record_never_seen_says_so() -> None:
    told = replace(change("task", Kind.DELETED), before={"id": 80071}, seen=False, date_modified=0)
    event = orjson.loads(written(told)["crm.task.deleted"].value or b"")
    assert (event["before"], event["source"]["seen"]) == ({"id": 80071}, False)


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    told = replace(change("company", Kind.UPDATED), causation_id="9f1c", traceparent="00-a-b-01")
    digest = content_hash(told.after or {})[:16].encode()
    assert dict(written(told)["crm.company.upserted"].headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"company:66120934:1790000401:" + digest + b":updated",
        "ce_source": b"/copper/acme",
        "ce_type": b"copper.company.updated.v1",
        "ce_subject": b"company/66120934",
        "ce_time": b"2026-09-21T14:20:01.000Z",
        "ce_recordedtime": b"2026-09-21T14:25:02.123Z",
        "content-type": b"application/json",
        "ce_dataschema": b"urn:copper-kafka-bridge:company.updated.v1",
        "ce_via": b"poll",
        "ce_changeclass": b"edit",
        "ce_causationid": b"9f1c",
        "traceparent": b"00-a-b-01",
    }


def test_fields_new_to_us_pass_through_unchanged() -> None:
    after = {"id": 7, "name": "A", "date_modified": 1, "hue": {"deg": [1, 2.5, None]}}
    told = replace(change("company", Kind.CREATED), after=after)
    assert orjson.loads(written(told)["crm.company.state"].value or b"") == after


@given(CHANGES)
def test_a_change_written_twice_gives_equal_records(told: Change) -> None:
    again = replace(told, after=orjson.loads(orjson.dumps(told.after)), before=orjson.loads(orjson.dumps(told.before)))
    assert records_of(told, NAMES, 1, NOW_MS) == records_of(again, NAMES, 1, NOW_MS)


@given(CHANGES, st.integers(0, 2**40))
def test_the_id_of_an_event_does_not_depend_on_when_or_by_which_path_it_was_seen(told: Change, seconds: int) -> None:
    assert event_id(told) == event_id(replace(told, via="sweep", happened_s=seconds, causation_id="x", traceparent="y"))


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_hash_does_not_see_the_order_of_fields_nor_date_modified(record: dict[str, Any], random: Any) -> None:
    names = list(record)
    random.shuffle(names)
    assert content_hash({**{name: record[name] for name in names}, "date_modified": 99}) == content_hash(record)


@given(RECORDS, RECORDS)
def test_fields_have_changed_exactly_when_the_hash_has(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert bool(changed_fields(before, after)) is (content_hash(before) != content_hash(after))


def test_changed_fields_are_named_and_custom_ones_by_their_definition() -> None:
    before = {
        "id": 7,
        "name": "A",
        "tags": [],
        "gone": 1,
        "date_modified": 1,
        "custom_fields": custom({1: "x", 2: None}),
    }
    after = {
        "id": 7,
        "name": "B",
        "tags": [],
        "new": 1,
        "date_modified": 2,
        "custom_fields": custom({1: "x", 2: 5, 3: 0}),
    }
    assert changed_fields(before, after) == ("name", "new", "custom_fields.2", "custom_fields.3", "gone")


def test_custom_fields_in_another_order_are_one_change() -> None:
    one, other = custom({1: "x", 2: "y"}), custom({2: "y", 1: "x"})
    assert changed_fields({"custom_fields": one}, {"custom_fields": other}) == ("custom_fields",)


def custom(values: dict[int, Any]) -> list[dict[str, Any]]:
    return [{"custom_field_definition_id": definition, "value": value} for definition, value in values.items()]


@given(st.text(min_size=1), st.integers(1, 2**53))
def test_a_key_gives_back_account_and_id(account: str, record_id: int) -> None:
    assert parse_state_key(state_key(account, record_id)) == (account, record_id)


@pytest.mark.parametrize("key", [b"", b"acme", b"acme/", b"acme/x", b"\xff/7"])
def test_a_key_of_something_else_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_state_key(key)
