from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.sameness import exactly, fields_equal

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


def test_a_record_with_more_than_was_sent_is_not_exactly_what_was_sent() -> None:
    sent = {"name": "Tideglass"}
    made = {"id": 7, "name": "Tideglass", "details": None, "tags": [], "address": {"city": ""}, "contact_type_id": 5}
    assert exactly(sent, made)
    assert not exactly(sent, made | {"details": "written by somebody"})
    assert exactly(sent | {"details": "asked for"}, made | {"details": "asked for"})
    assert not exactly({"name": "Other"}, made)
