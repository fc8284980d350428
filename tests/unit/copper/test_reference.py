"""Reference data: what is asked for, and what is taken from the answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.catalogue import CATALOGUE
from bridge.copper import reference
from bridge.copper.readings import Misread
from bridge.policy.matching import Named


def test_every_list_of_the_catalogue_can_be_asked_for() -> None:
    assert reference.LISTS.keys() == {row.list for row in CATALOGUE.names.values()}


def test_users_come_in_pages_and_nothing_else_does() -> None:
    call = reference.call("users", 3)
    assert (call.method, call.path, call.body) == ("POST", "/users/search", {"page_number": 3, "page_size": 200})
    assert {name for name in reference.LISTS if reference.paged(name)} == {"users"}
    assert all(reference.call(name).body is None for name in reference.LISTS if name != "users")


@pytest.mark.parametrize(
    ("name", "answer", "rows"),
    [
        ("users", [{"id": 7, "name": "Ann", "email": "a@x.example", "groups": []}], [Named(7, "Ann", "a@x.example")]),
        ("users", [{"id": 7, "name": "Ann", "email": None}], [Named(7, "Ann")]),
        (
            "pipelines",
            [{"id": 5, "name": "Sales", "stages": [{"id": 6, "name": "Won", "win_probability": 100}]}],
            [Named(5, "Sales", parts=(Named(6, "Won"),))],
        ),
        ("loss_reasons", [{"id": 7, "name": "Price"}, {"id": 8}, "x", {"id": "9", "name": "y"}], [Named(7, "Price")]),
        (
            "activity_types",
            {
                "user": [{"id": 0, "name": "Note"}, {"id": 5, "name": "Fax", "is_disabled": True}],
                "system": [{"id": 1, "name": "Property Changed"}],
            },
            [Named(0, "Note")],
        ),
        (
            "custom_field_definitions",
            [
                {
                    "id": 3,
                    "name": "Tier",
                    "data_type": "Dropdown",
                    "available_on": ["lead"],
                    "options": [{"id": 4, "name": "Gold", "rank": 0}],
                }
            ],
            [Named(3, "Tier", None, (Named(4, "Gold"),), "Dropdown", frozenset({"lead"}))],
        ),
    ],
)
def test_rows_are_taken_by_name_and_id_and_what_has_none_is_left_out(name: str, answer: Any, rows: list[Named]) -> None:
    assert reference.call(name).reading(answer) == tuple(rows)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "email", "stages", "options", "available_on", "user"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from(sorted(reference.LISTS)), JSON)
def test_an_answer_of_any_shape_is_read_or_misread(name: str, answer: Any) -> None:
    found = reference.call(name).reading(answer)
    assert isinstance(found, Misread) or all(isinstance(each, Named) for each in found)
