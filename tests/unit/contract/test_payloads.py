from typing import Any

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.payloads import DEEPEST, MOST_MEMBERS, Problems, problems, too_deep, too_many


def found(entity: str, action: str, **members: Any) -> Problems:
    row = CATALOGUE.action(entity, action)
    assert row is not None
    return problems(row, {"action": action, **members})


def of_data(entity: str, data: Any) -> Problems:
    return found(entity, "update", id=7, data=data)


@pytest.mark.parametrize("row", CATALOGUE.actions, ids=lambda row: f"{row.entity}.{row.name}")
def test_the_example_of_an_action_has_no_problem(row: Any) -> None:
    assert problems(row, {"action": row.name, **row.example}) == {}


def test_every_problem_is_named_at_once() -> None:
    wrong = {"nmae": "x", "details": 7, "tags": "a", "phone_numbers": [{"number": 5, "category": "pager"}], "id": 7}
    assert found("company", "create", data=wrong, colour="red") == {
        "colour": ("unknown field",),
        "data.name": ("required",),
        "data.nmae": ('unknown field, did you mean "name"?',),
        "data.details": ("must be a string or null",),
        "data.tags": ("must be a list or null",),
        "data.phone_numbers.0.number": ("must be a string",),
        "data.phone_numbers.0.category": ('must be one of "mobile", "work", "home", "other", null',),
        "data.id": ("is set by Copper and cannot be written",),
    }


def test_reasons_hold_nothing_of_the_values() -> None:
    canary = "canary-4711"
    told = found(
        "person", "update", id=canary, data={"emails": [{"email": canary}], "name": [canary], "title": {canary: 1}}
    )
    assert set(told) == {"id", "data.emails.0.email", "data.name", "data.title"}
    assert canary not in str(told)


@pytest.mark.parametrize("record_id", [0, -1, 7.0, 7.5, True, "7", None, [7], 2**53])
def test_an_id_is_a_positive_whole_number_and_nothing_like_one(record_id: Any) -> None:
    assert found("company", "get", id=record_id) == {"id": ("must be a positive whole number",)}


def test_null_clears_what_may_be_unset_and_nothing_else() -> None:
    assert of_data("person", {"title": None, "emails": None, "address": None}) == {}
    assert of_data("opportunity", {"name": None, "status": None}) == {
        "data.name": ("must be a string",),
        "data.status": ("must be a string", 'must be one of "Open", "Won", "Lost", "Abandoned"'),
    }


def test_a_lead_takes_one_email_as_an_object_and_a_person_a_list() -> None:
    one, several = {"email": "ivo@brand.example", "category": "work"}, [{"email": "ivo@brand.example"}]
    assert of_data("lead", {"email": one}) == {}
    assert of_data("person", {"emails": several}) == {}
    assert of_data("lead", {"emails": several}) == {"data.emails": ('unknown field, did you mean "email"?',)}
    assert of_data("person", {"email": one}) == {"data.email": ('unknown field, did you mean "emails"?',)}
    assert of_data("lead", {"email": "ivo@brand.example"}) == {"data.email": ("must be an object or null",)}


def test_an_update_of_nothing_is_refused() -> None:
    assert of_data("task", {}) == {"data": ("must name at least one field",)}


def test_only_a_create_must_bring_what_is_required() -> None:
    assert found("task", "create", data={"details": "x"}) == {"data.name": ("required",)}
    assert of_data("task", {"details": "x"}) == {}


def test_members_an_action_has_no_use_for_are_refused() -> None:
    assert found("company", "get", id=7, data={"name": "x"}) == {"data": ("unknown field",)}
    assert found("company", "create", data={"name": "x"}, expect={"name": "y"}) == {"expect": ("unknown field",)}


def test_an_expectation_names_fields_of_the_record() -> None:
    assert found("company", "delete", id=7, expect={"name": "Tideglass", "date_modified": 1790000401}) == {}
    assert found("company", "delete", id=7, expect={"nam": "Tideglass"}) == {
        "expect.nam": ('unknown field, did you mean "name"?',)
    }


@pytest.mark.parametrize(
    ("match", "paths"),
    [
        ({"field": "email", "value": "ivo@brand.example"}, set()),
        ({"field": "custom", "value": {"custom_field_definition_id": 50311, "value": "gold"}}, set()),
        ({"field": "custom", "value": "gold"}, {"match.value"}),
        ({"field": "name", "value": {"custom_field_definition_id": 50311, "value": "gold"}}, {"match.value"}),
        ({"field": "phone", "value": "1"}, {"match.field"}),
        ({"field": "name"}, {"match.value"}),
        ({"field": "name", "value": ""}, {"match.value"}),
    ],
)
def test_a_match_is_by_email_name_or_custom_field(match: Any, paths: set[str]) -> None:
    assert set(found("lead", "upsert", data={"name": "Ivo"}, match=match)) == paths


def test_a_search_takes_the_filters_of_its_entity_and_pages_of_at_most_two_hundred() -> None:
    assert found("lead", "search") == {}
    assert found("lead", "search", data={"emails": "a@b.example", "minimum_modified_date": 1, "page_size": 200}) == {}
    assert found("person", "search", data={"emails": ["a@b.example"], "sort_by": "date_modified"}) == {}
    told = found(
        "person", "search", data={"minimum_modified_date": 1, "page_size": 201, "page_number": 0, "sort_by": "id"}
    )
    assert set(told) == {"data.minimum_modified_date", "data.page_size", "data.page_number", "data.sort_by"}


def test_lists_and_strings_have_limits() -> None:
    told = of_data("person", {"name": "x" * 1001, "tags": ["a"] * 201, "emails": [{"email": "a@b.example"}] * 51})
    assert told == {
        "data.name": ("must be at most 1000 characters long",),
        "data.tags": ("must have at most 200 items",),
        "data.emails": ("must have at most 50 items",),
    }


def test_a_thousand_problems_are_told_as_a_hundred() -> None:
    assert len(of_data("company", {f"x{number}": 1 for number in range(1000)})) == 100


def test_members_are_counted_over_all_levels() -> None:
    value = {"data": {"tags": ["a"] * (MOST_MEMBERS - 2)}}
    assert not too_many(value)
    value["data"]["tags"].append("a")
    assert too_many(value)


def test_a_value_is_too_deep_from_one_level_more_than_allowed() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]
    assert not too_deep(value)
    assert too_deep({"more": value})
