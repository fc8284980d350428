from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.events import content_hash
from bridge.policy.settling import Done, Look, SendAgain, Undecided, Verdict, Waits, fields_equal, look_for, settle

BEFORE = {"id": 7, "name": "Tideglass", "date_modified": 1100}
HASH = content_hash(BEFORE)[:16]
SENT = {"name": "Tideglass Ltd"}


def settled(action: str, *found: dict[str, Any], before: str | None = HASH) -> Verdict:
    return settle(action, sent=SENT, before=before, found=found)


def test_every_action_with_an_effect_can_be_settled() -> None:
    for row in CATALOGUE.actions:
        if row.effect:
            assert isinstance(look_for(row.name), Look)


def test_a_delete_was_done_when_the_record_is_gone() -> None:
    assert settled("delete") == Done(None)
    assert settled("delete", BEFORE) == SendAgain()


def test_an_update_was_done_when_the_record_has_what_was_sent() -> None:
    after = BEFORE | SENT | {"date_modified": 1200}
    assert settled("update", after) == Done(after)


def test_an_update_is_sent_again_when_the_record_is_as_it_was() -> None:
    assert settled("update", BEFORE | {"date_modified": 1200}) == SendAgain()


def test_an_update_over_which_somebody_else_wrote_is_undecided() -> None:
    assert isinstance(settled("update", BEFORE | {"name": "Other"}), Undecided)
    assert isinstance(settled("update", BEFORE, before=None), Undecided)
    assert isinstance(settled("update"), Undecided)


def test_an_upsert_is_sent_again_unless_the_one_match_has_what_was_sent() -> None:
    after = BEFORE | SENT
    assert settled("upsert", after) == Done(after)
    assert settled("upsert") == settled("upsert", BEFORE) == settled("upsert", after, after) == SendAgain()


def test_a_create_is_never_sent_twice() -> None:
    assert isinstance(settled("create"), Undecided)
    assert look_for("create") is Look.NONE


def test_a_convert_is_sent_again_only_while_the_lead_is_there() -> None:
    assert settled("convert", BEFORE) == SendAgain()
    assert isinstance(settled("convert"), Undecided)


def test_a_look_waits_for_late_effects_and_through_search_for_the_index() -> None:
    waits = Waits(timeout=20, lateness=10, index_lag=120)
    assert waits.before(Look.GET) == 32
    assert waits.before(Look.SEARCH) == 152


EQUAL: list[tuple[str, Any, Any]] = [
    ("name", " Tideglass ", "Tideglass"),
    ("details", None, ""),
    ("details", "", None),
    ("tags", ["VIP", "Early"], ["early", "vip"]),
    ("tags", ["a" * 60], ["a" * 50]),
    ("tags", [], None),
    ("email", {"email": "Mara@Tideglass.example"}, {"email": "mara@tideglass.example", "category": "work"}),
    ("emails", [{"email": "A@b.example"}, {"email": "c@d.example", "category": "work"}], [
        {"email": "c@d.example", "category": "work"}, {"email": "a@b.example", "category": "other"}]),
    ("phone_numbers", [{"number": "(555) 12-34"}], [{"number": "5551234", "category": "work"}]),
    ("websites", [{"url": "tideglass.example"}], [{"url": "http://tideglass.example/", "category": "work"}]),
    ("close_date", "03/09/2027", "3/9/2027"),
    ("monetary_value", 2500, 2500.0),
    ("address", {"city": "Bergen"}, {"street": None, "city": "Bergen", "country": "NO"}),
    ("address", None, {"street": "", "city": None}),
    ("custom_fields", [{"custom_field_definition_id": 1, "value": [4, 3]}], [
        {"custom_field_definition_id": 2, "value": 9}, {"custom_field_definition_id": 1, "value": [3, 4]}]),
    ("custom_fields", [{"custom_field_definition_id": 1, "value": None}], []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "found"), EQUAL)
def test_what_copper_makes_of_a_value_is_no_difference(name: str, sent: Any, found: Any) -> None:
    assert fields_equal({name: sent}, {"id": 7, name: found})


DIFFERENT: list[tuple[str, Any, Any]] = [
    ("name", "Tideglass", "tideglass"),
    ("details", "x", None),
    ("details", None, "x"),
    ("assignee_id", 0, None),
    ("tags", ["a"], ["a", "b"]),
    ("emails", [{"email": "a@b.example"}], [{"email": "a@b.example"}, {"email": "c@d.example"}]),
    ("emails", [{"email": "a@b.example"}] * 2, [{"email": "a@b.example"}, {"email": "c@d.example"}]),
    ("close_date", "3/9/2027", "9/3/2027"),
    ("phone_numbers", [{"number": "555"}], [{"number": "556"}]),
    ("address", {"city": "Bergen"}, {"city": "Oslo"}),
    ("custom_fields", [{"custom_field_definition_id": 1, "value": 3}], [{"custom_field_definition_id": 1, "value": 4}]),
    ("custom_fields", "nonsense", [{"custom_field_definition_id": 1, "value": 4}]),
]


@pytest.mark.parametrize(("name", "sent", "found"), DIFFERENT)
def test_another_value_is_a_difference(name: str, sent: Any, found: Any) -> None:
    assert not fields_equal({name: sent}, {"id": 7, name: found})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["name", "tags", "emails", "email", "address", "close_date", "websites"])


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_a_record_always_has_the_values_it_consists_of(record: dict[str, Any]) -> None:
    assert fields_equal(record, record)


@given(NAMES | st.just("custom_fields"), JSON, JSON)
def test_comparing_never_fails_whatever_was_expected(name: str, sent: Any, found: Any) -> None:
    if name == "custom_fields":
        found = [{"custom_field_definition_id": 1, "value": found}]
        sent = (
            sent if not isinstance(sent, list) else [{"custom_field_definition_id": 1, "value": each} for each in sent]
        )
    assert fields_equal({name: sent}, {name: found}) in {True, False}
