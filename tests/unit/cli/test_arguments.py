"""Arguments of the command line become the values they mean, or a usage error."""

from typing import Any

import pytest
import typer

from bridge.cli.arguments import (
    action,
    commanded,
    followed,
    instant,
    lane,
    members,
    moment,
    nested,
    position,
    seconds,
)


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


def test_a_lane_is_one_of_the_two() -> None:
    assert lane("bulk") == "bulk"
    with pytest.raises(typer.BadParameter, match="interactive or bulk"):
        lane("fast")


def test_a_duration_needs_a_unit() -> None:
    assert seconds("250ms") == 0.25
    with pytest.raises(typer.BadParameter):
        seconds("30")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", 1_790_000_000.5),
        ("2026-09-21T14:20:02Z", 1_790_000_402.0),
        ("2026-09-21t16:20:02.5+02:00", 1_790_000_402.5),
    ],
)
def test_a_moment_is_now_or_a_time_with_its_offset(text: str, expected: float) -> None:
    assert moment(text, 1_790_000_000.5) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-09-21", "2026-09-21T14:20:02", ""])
def test_a_moment_without_an_offset_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text, 0)


def test_an_entity_without_events_is_answered_with_the_nearest_that_has() -> None:
    assert followed("company") == "company"
    with pytest.raises(typer.BadParameter, match=r'did you mean "company"'):
        followed("compny")
    with pytest.raises(typer.BadParameter):
        followed("activity")


def test_an_instant_is_a_time_or_how_long_ago() -> None:
    assert instant("2h", 10_000.0) == 2800.0
    assert instant("1970-01-01T00:00:07Z", 10_000.0) == 7.0
    with pytest.raises(typer.BadParameter, match="how long ago"):
        instant("yesterday", 10_000.0)


def test_a_position_lies_in_one_of_the_topics_that_are_meant() -> None:
    assert (
        str(position("copper.lead.commands-dlt-1-42", ["copper.lead.commands-dlt"])) == "copper.lead.commands-dlt-1-42"
    )
    for text in ("copper.lead.commands-1-42", "copper.lead.commands-dlt", "42", ""):
        with pytest.raises(typer.BadParameter, match="see dlt ls"):
            position(text, ["copper.lead.commands-dlt"])


def test_every_entity_has_commands() -> None:
    assert commanded("activity") == "activity"
    with pytest.raises(typer.BadParameter, match='did you mean "lead"'):
        commanded("leed")
