"""Arguments of the command line become the values they mean, or a usage error."""

from typing import Any

import pytest
import typer

from bridge.cli.arguments import action, members, nested, seconds


def test_values_are_json_or_else_text_and_dots_nest() -> None:
    pairs = ["name=Acme Ltd", "size=7", "tags=[1]", "address.city=Paris", "address.street=1=2", 'code="7"', "gone=null"]
    assert nested(pairs, parse=True) == {
        "name": "Acme Ltd",
        "size": 7,
        "tags": [1],
        "address": {"city": "Paris", "street": "1=2"},
        "code": "7",
        "gone": None,
    }


@pytest.mark.parametrize("pairs", [["name"], ["=x"], ["a=1", "a.b=2"]])
def test_a_pair_that_makes_no_sense_is_a_usage_error(pairs: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        nested(pairs, parse=True)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("company.update", {"id": 7, "name": "x"}, {"record_id": 7, "data": {"name": "x"}}),
        ("lead.get-by-email", {"email": "a@b.example"}, {"email": "a@b.example"}),
        ("person.create", {"email": "x", "name": "y"}, {"data": {"email": "x", "name": "y"}}),
        ("company.delete", {"id": 7, "expect": {"name": "x"}}, {"record_id": 7, "expect": {"name": "x"}}),
        (
            "lead.upsert",
            {"match": {"field": "email"}, "name": "y"},
            {"match": {"field": "email"}, "data": {"name": "y"}},
        ),
    ],
)
def test_what_an_action_takes_beside_its_data_is_not_data(name: str, given: dict[str, Any], expected: Any) -> None:
    assert members(action(name), given) == expected


def test_an_unknown_action_is_answered_with_the_nearest_known() -> None:
    with pytest.raises(typer.BadParameter, match=r'did you mean "company\.create"'):
        action("company.creat")


def test_a_duration_needs_a_unit() -> None:
    assert seconds("250ms") == 0.25
    with pytest.raises(typer.BadParameter):
        seconds("30")
