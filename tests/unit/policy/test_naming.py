"""Names to ids: exactly one row or a miss that says what there is."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, ReplyAddress
from bridge.contract.payloads import problems
from bridge.contract.records import Position
from bridge.policy.matching import MOST_CANDIDATES, Named
from bridge.policy.naming import MOST_PROBLEMS, Unresolved, needs, resolve

EVERYWHERE = frozenset(CATALOGUE.entities)
SALES = Named(51, "Sales", parts=(Named(71, "Qualified"), Named(72, "Won")))
RENEWALS = Named(52, "Renewals", parts=(Named(73, "Due"), Named(74, "won ")))
FIELDS = (
    Named(1, "Nickname", data_type="String", entities=EVERYWHERE),
    Named(2, "Contract start", data_type="Date", entities=EVERYWHERE),
    Named(3, "Tier", data_type="Dropdown", entities=frozenset({"company"}), parts=(Named(31, "Gold"), Named(32, "7"))),
    Named(4, "Tier", data_type="Dropdown", entities=frozenset({"lead"}), parts=(Named(41, "Gold"),)),
    Named(5, "Regions", data_type="MultiSelect", entities=EVERYWHERE, parts=(Named(51, "North"), Named(52, "South"))),
    Named(6, "Newsletter", data_type="Checkbox", entities=EVERYWHERE),
    Named(7, "Score", data_type="Float", entities=EVERYWHERE),
    Named(8, "Margin", data_type="Percentage", entities=EVERYWHERE),
    Named(9, "Parent", data_type="Connect", entities=EVERYWHERE),
    Named(10, "Fee", data_type="Currency", entities=EVERYWHERE),
    Named(11, "Home", data_type="URL", entities=EVERYWHERE),
    Named(12, "Mood", data_type="Hologram", entities=EVERYWHERE),
    Named(13, "Twin", data_type="String", entities=EVERYWHERE),
    Named(14, "twin", data_type="String", entities=EVERYWHERE),
)
LISTS: Mapping[str, tuple[Named, ...]] = {
    "users": (
        Named(41, "Ann Lee", "ann@x.example"),
        Named(42, "Bo Berg", "bo@x.example"),
        Named(43, "Bo Berg", "b@x.example"),
    ),
    "pipelines": (SALES, RENEWALS),
    "contact_types": (Named(61, "Customer"),),
    "customer_sources": (Named(62, "Fair"),),
    "loss_reasons": (Named(63, "Price"),),
    "activity_types": (Named(0, "Note"), Named(9, "Meeting")),
    "custom_field_definitions": FIELDS,
}
DAY = 1796083200
"""2026-12-01T00:00:00Z."""


def command(entity: str, action: str = "update", data: Any = None, expect: Any = None) -> Command:
    return Command(
        id="c1", account="acme", entity=entity, action=action, record_id=7, email=None, data=data or {}, match=None,
        expect=expect, reply=ReplyAddress("copper.lead.replies", None, ()), deadline=None, lane="interactive",
        fingerprint="f", position=Position("t", 0, 7), key=None, received_ms=0, headers=(),
    )  # fmt: skip


def by_ids(entity: str, data: Any, action: str = "update") -> Any:
    found = resolve(command(entity, action, data), LISTS)
    return found.problems if isinstance(found, Unresolved) else found.data


def reason(entity: str, **data: Any) -> str:
    """Why the only field cannot be resolved."""
    found = resolve(command(entity, data=data), LISTS)
    assert isinstance(found, Unresolved), found
    ((why,),) = found.problems.values()
    return why


@pytest.mark.parametrize(
    ("entity", "given_by_name", "by_id"),
    [
        ("company", {"assignee": "ann@x.example"}, {"assignee_id": 41}),
        ("company", {"assignee": "  ANN lee "}, {"assignee_id": 41}),
        ("task", {"assignee": "B@X.example", "name": "Call"}, {"assignee_id": 43, "name": "Call"}),
        ("person", {"assignee": None}, {"assignee_id": None}),
        ("person", {"contact_type": "customer"}, {"contact_type_id": 61}),
        ("lead", {"customer_source": "Fair", "status": "New"}, {"customer_source_id": 62, "status": "New"}),
        ("opportunity", {"loss_reason": "Price"}, {"loss_reason_id": 63}),
        ("opportunity", {"pipeline": "sales"}, {"pipeline_id": 51}),
        ("opportunity", {"pipeline_stage": "Due"}, {"pipeline_stage_id": 73}),
        ("opportunity", {"pipeline": "Sales", "pipeline_stage": "Won"}, {"pipeline_id": 51, "pipeline_stage_id": 72}),
        ("opportunity", {"pipeline_id": 52, "pipeline_stage": "Won"}, {"pipeline_id": 52, "pipeline_stage_id": 74}),
        ("opportunity", {"pipeline": None, "pipeline_stage": "Due"}, {"pipeline_id": None, "pipeline_stage_id": 73}),
        ("task", {"custom_activity_type": "Meeting"}, {"custom_activity_type_id": 9}),
        ("activity", {"type": "note", "user": "Ann Lee"}, {"type": {"category": "user", "id": 0}, "user_id": 41}),
        ("activity", {"type": {"category": "user", "id": 3}}, {"type": {"category": "user", "id": 3}}),
        ("task", {"related_resource": {"id": 1, "type": "lead"}}, {"related_resource": {"id": 1, "type": "lead"}}),
    ],
)
def test_a_name_becomes_the_id_of_the_one_row_that_has_it(
    entity: str, given_by_name: dict[str, Any], by_id: dict[str, Any]
) -> None:
    assert by_ids(entity, given_by_name, "create" if entity == "activity" else "update") == by_id


def test_every_member_of_the_catalogue_is_resolved_into_its_field() -> None:
    first: dict[str, Any] = {row.member: LISTS[row.list][0].name for row in CATALOGUE.names.values()}
    first |= {"pipeline_stage": "Qualified", "custom_fields": {"Nickname": "Bee"}}
    for row in CATALOGUE.names.values():
        (found,) = by_ids("company", {row.member: first[row.member]})
        assert found == row.field


@pytest.mark.parametrize(
    ("key", "value", "definition", "taken"),
    [
        ("nickname", "Bee", 1, "Bee"),
        ("1", "Bee", 1, "Bee"),
        ("Home", "x.example", 11, "x.example"),
        ("Contract start", "2026-12-01", 2, DAY),
        ("Contract start", DAY, 2, DAY),
        ("Tier", " gold", 3, 31),
        ("Tier", 32, 3, 32),
        ("Tier", "7", 3, 32),
        ("Regions", ["South", 51, "south"], 5, [52, 51]),
        ("Regions", [], 5, []),
        ("Newsletter", False, 6, False),
        ("Score", 1.5, 7, 1.5),
        ("Fee", 20, 10, 20),
        ("Margin", 20.0, 8, 20),
        ("Mood", [1, "x"], 12, [1, "x"]),
        ("Parent", None, 9, None),
        ("Tier", None, 3, None),
        ("14", "b", 14, "b"),
    ],
)
def test_a_custom_field_by_name_takes_values_as_people_write_them(
    key: str, value: Any, definition: int, taken: Any
) -> None:
    assert by_ids("company", {"custom_fields": {key: value}}) == {
        "custom_fields": [{"custom_field_definition_id": definition, "value": taken}]
    }


def test_fields_of_one_name_are_told_apart_by_the_entity() -> None:
    assert by_ids("lead", {"custom_fields": {"Tier": "Gold"}})["custom_fields"][0]["value"] == 41
    assert by_ids("lead", {"custom_fields": {"Tier": 31}}) == {
        "data.custom_fields.Tier": ('no such option; there is "Gold"',)
    }


def test_custom_fields_as_copper_lists_them_stay_as_they_are() -> None:
    listed = {"custom_fields": [{"custom_field_definition_id": 999, "value": "x"}]}
    assert needs(command("company", data=listed)) == frozenset()
    assert by_ids("company", listed) == listed


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("Nickname", 5, "must be a string"),
        ("Contract start", "1/12/2026", "must be a date"),
        ("Contract start", "2026-13-01", "must be a date"),
        ("Contract start", True, "must be a date"),
        ("Tier", "Golden", 'no such option; there is "Gold", "7"'),
        ("Tier", 99, "no such option"),
        ("Tier", ["Gold"], "must be the name of an option"),
        ("Regions", "North", "must be a list"),
        ("Regions", ["North", "Nort"], 'no such option; there is "North", "South"'),
        ("Newsletter", "yes", "must be true or false"),
        ("Score", "5", "must be a number"),
        ("Margin", 1.5, "must be a whole number"),
        ("Fee", True, "must be a number"),
        ("Parent", [7], "is a field of links"),
        ("Twin", "x", "several of this name, with the ids 13, 14"),
        ("Contract", "x", 'no such custom field here; there is "Contract start"'),
        ("4", "x", "no such custom field here"),
    ],
)
def test_a_custom_field_that_does_not_fit_is_told_under_its_name(key: str, value: Any, why: str) -> None:
    ((path, reasons),) = by_ids("company", {"custom_fields": {key: value}}).items()
    assert path == f"data.custom_fields.{key}"
    assert why in reasons[0]


def test_a_custom_field_may_not_be_given_twice() -> None:
    assert "is given twice" in reason("company", custom_fields={"Nickname": "a", "1": "b"})


@pytest.mark.parametrize(
    ("entity", "data", "why"),
    [
        ("company", {"assignee": "Ann Leigh"}, 'no such user; there is "Ann Lee", "Bo Berg"'),
        ("company", {"assignee": "Bo Berg"}, "several of this name, with the ids 42, 43: use assignee_id"),
        ("company", {"assignee": " "}, "no such user"),
        ("opportunity", {"pipeline_stage": "Won"}, '72 of "Sales", 74 of "Renewals": name the pipeline too'),
        ("opportunity", {"pipeline_id": 51, "pipeline_stage": "Due"}, 'no such stage; there is "Qualified", "Won"'),
        ("opportunity", {"pipeline_id": 99, "pipeline_stage": "Due"}, "there is no such pipeline"),
    ],
)
def test_what_is_not_one_row_is_told_and_never_guessed(entity: str, data: dict[str, Any], why: str) -> None:
    assert why in reason(entity, **data)


def test_only_what_a_newer_list_could_better_casts_doubt_on_it() -> None:
    absent = resolve(command("company", data={"assignee": "Nobody", "custom_fields": {"Nickname": 5}}), LISTS)
    several = resolve(command("company", data={"assignee": "Bo Berg"}), LISTS)
    assert isinstance(absent, Unresolved)
    assert isinstance(several, Unresolved)
    assert (absent.doubtful, several.doubtful) == (frozenset({"users"}), frozenset())


def test_all_problems_are_told_at_once_each_with_few_candidates() -> None:
    many = {**LISTS, "users": tuple(Named(number, f"User {number}") for number in range(1, 30))}
    found = resolve(command("opportunity", data={"assignee": "User 77", "loss_reason": "Sun"}), many)
    assert isinstance(found, Unresolved)
    assert found.problems.keys() == {"data.assignee", "data.loss_reason"}
    assert found.problems["data.assignee"][0].count('"') == 2 * MOST_CANDIDATES
    assert found.problems["data.assignee"][0].endswith("and 19 more")


def test_an_answer_names_a_hundred_fields_at_most() -> None:
    assert len(by_ids("company", {"custom_fields": {f"field {n}": n for n in range(400)}})) == MOST_PROBLEMS


def test_a_conversion_is_resolved_in_each_of_its_parts() -> None:
    data = {
        "person": {"assignee": "Ann Lee", "contact_type": "Customer"},
        "company": {"id": 3},
        "opportunity": {"name": "Pilot", "pipeline": "Sales", "pipeline_stage": "Won"},
    }
    assert needs(command("lead", "convert", data)) == {"users", "contact_types", "pipelines"}
    assert by_ids("lead", data, "convert") == {
        "person": {"assignee_id": 41, "contact_type_id": 61},
        "company": {"id": 3},
        "opportunity": {"name": "Pilot", "pipeline_id": 51, "pipeline_stage_id": 72},
    }


def test_what_is_expected_may_be_said_by_name_too() -> None:
    asked = command("company", "delete", expect={"assignee": "Ann Lee", "custom_fields": {"Tier": "Gold"}})
    found = resolve(asked, LISTS)
    assert needs(asked) == {"users", "custom_field_definitions"}
    assert isinstance(found, Command)
    assert found.expect == {"assignee_id": 41, "custom_fields": [{"custom_field_definition_id": 3, "value": 31}]}
    wrong = resolve(command("company", "delete", expect={"assignee": "x"}), LISTS)
    assert isinstance(wrong, Unresolved)
    assert wrong.problems.keys() == {"expect.assignee"}


def test_a_search_is_left_alone() -> None:
    filters = {"name": "x", "assignee_ids": [3]}
    assert needs(command("project", "search", filters)) == frozenset()
    assert by_ids("project", filters, "search") == filters


def test_saying_one_thing_by_name_and_by_id_breaks_the_schema() -> None:
    for action in CATALOGUE.actions:
        for row in CATALOGUE.names.values():
            if action.data not in {"record", "changes"} or row.in_place:
                continue
            if row.field in CATALOGUE.entities[action.entity].fields:
                wrong = problems(action, {"data": {row.member: "x", row.field: 7}})
                assert wrong[f"data.{row.field}"] == ("is said by name too: give one of the two",)
                assert f"data.{row.member}" not in wrong


NAMES = st.sampled_from([each.name for rows in LISTS.values() for each in rows]) | st.text(max_size=8)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | NAMES | st.lists(NAMES | st.integers(), max_size=3)
DATA = st.dictionaries(
    st.sampled_from([*CATALOGUE.names, "name", "pipeline_id"]) | NAMES,
    VALUES | st.dictionaries(NAMES | st.sampled_from(["1", "4"]), VALUES, max_size=4),
    max_size=5,
)


def named_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with a name wherever the schema lets nothing else in."""
    scalar = {row.member for row in CATALOGUE.names.values() if not row.in_place}
    return {name: str(each) if name in scalar and each is not None else each for name, each in data.items()}


@given(st.sampled_from(sorted(CATALOGUE.entities)), DATA)
def test_whatever_is_said_comes_out_by_ids_or_is_told_and_resolving_again_changes_nothing(
    entity: str, data: dict[str, Any]
) -> None:
    asked = command(entity, "create", named_values(data))
    found = resolve(asked, LISTS)
    if isinstance(found, Unresolved):
        assert found.problems
        assert all(path.startswith("data.") and all(reasons) for path, reasons in found.problems.items())
    else:
        assert found.fingerprint == asked.fingerprint
        assert needs(found) == frozenset()
        assert resolve(found, {}) == found or "nan" in repr(found.data)
