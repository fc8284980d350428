"""The two lists that the product was ordered by, written down here and nowhere derived."""

from typing import Any

import pytest

from bridge.contract.catalogue import CATALOGUE

TRIGGERS = {
    "Company Created": "copper.company.created",
    "Company Updated": "copper.company.updated",
    "Company Deleted": "copper.company.deleted",
    "Lead Created/Updated": "copper.lead.upserted",
    "Opportunity Created": "copper.opportunity.created",
    "Opportunity Updated": "copper.opportunity.updated",
    "Opportunity Deleted": "copper.opportunity.deleted",
    "Person Created": "copper.person.created",
    "Person Created/Updated": "copper.person.upserted",
    "Task Created": "copper.task.created",
    "Task Updated": "copper.task.updated",
    "Task Deleted": "copper.task.deleted",
}
ACTIONS = {
    "Create Company": ("company", "create"),
    "Create Lead": ("lead", "create"),
    "Create Task": ("task", "create"),
    "Create Opportunity": ("opportunity", "create"),
    "Create Person": ("person", "create"),
    "Update Company": ("company", "update"),
    "Update Lead": ("lead", "update"),
    "Update Task": ("task", "update"),
    "Update Opportunity": ("opportunity", "update"),
    "Update Person": ("person", "update"),
    "Delete Company": ("company", "delete"),
    "Delete Lead": ("lead", "delete"),
    "Delete Task": ("task", "delete"),
    "Delete Opportunity": ("opportunity", "delete"),
    "Delete Person": ("person", "delete"),
    "Get Lead by Email": ("lead", "get-by-email"),
    "Get Lead by ID": ("lead", "get"),
    "Upsert Lead": ("lead", "upsert"),
    "Get Person by Email": ("person", "get-by-email"),
    "Get Person by ID": ("person", "get"),
}


def test_there_are_twelve_triggers_and_twenty_actions_and_the_catalogue_marks_just_these() -> None:
    assert (len(TRIGGERS), len(ACTIONS)) == (12, 20)
    assert {row.title: f"copper.{row.entity}.{row.kind}" for row in CATALOGUE.triggers if row.listed} == TRIGGERS
    assert {row.title: (row.entity, row.name) for row in CATALOGUE.actions if row.listed} == ACTIONS


@pytest.mark.parametrize("topic", TRIGGERS.values())
def test_a_listed_trigger_has_a_schema_an_example_and_its_place_in_asyncapi(
    topic: str, schemas: dict[str, Any], published: dict[str, Any], asyncapi: dict[str, Any]
) -> None:
    name = topic.removeprefix("copper.")
    assert f"{name}.v1" in schemas
    assert published[topic]["topic"] == topic
    assert asyncapi["channels"][name]["address"] == topic
    assert asyncapi["operations"][name]["action"] == "send"


@pytest.mark.parametrize(("entity", "action"), ACTIONS.values())
def test_a_listed_action_has_a_schema_an_example_and_its_place_in_asyncapi(
    entity: str, action: str, schemas: dict[str, Any], published: dict[str, Any], asyncapi: dict[str, Any]
) -> None:
    assert f"{entity}.{action}.command.v1" in schemas
    assert published[f"copper.{entity}.commands.{action}"]["value"]["action"] == action
    operation = asyncapi["operations"][f"{entity}.{action}"]
    assert operation["action"] == "receive"
    assert operation["reply"]["address"]["location"] == "$message.header#/kafka_replyTopic"
    assert f"{entity}.{action}.command" in asyncapi["channels"][f"{entity}.commands"]["messages"]
