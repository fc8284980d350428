"""Names instead of ids, with a whole bridge: every member over every entity that has it, and what is no name."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.sandbox.copper import Account
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage

SCALARS: Mapping[str, tuple[str, Any]] = {
    "assignee": ("Ben@{}.example", 41202),
    "user": ("chiara rossi", 41203),
    "pipeline_stage": ("Proposal", 7202),
    "contact_type": ("Current Customer", 77012),
    "customer_source": ("cold call", 331241),
    "loss_reason": ("Features", 300302),
    "custom_activity_type": ("Meeting", 190712),
    "type": ("Phone Call", {"category": "user", "id": 190711}),
}
"""Member to a name, `{}` being the account's, and what it stands for. A pipeline has a test of its own."""
CUSTOM: Mapping[str, tuple[Any, int, Any]] = {
    "Nickname": ("Bee", 50311, "Bee"),
    "Renewal date": ("2026-12-01", 50312, 1796083200),
    "Reference number": (4711, 50313, 4711),
    "newsletter": (True, 50314, True),
    "Tier": ("silver", 50321, 8802),
    "50322": (["West", "North"], 50322, [8904, 8901]),
}
"""Name or id of a custom field to a value as people write it, the field's id, and the value as Copper keeps it."""
LOST = {"status": "Lost"}
"""What an opportunity must be to have a loss reason."""


@pytest.fixture(scope="module")
def acme(shared: Stage, unused: Iterator[str]) -> Account:
    """One account for this file: its lists are fetched once."""
    return shared.account(next(unused))


def _by_name(account: str, entity: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """All but the pipeline that can be said of an entity by name, and the same by id."""
    fields = {each.name for each in CATALOGUE.entities[entity].writable()}
    rows = [CATALOGUE.names[member] for member in SCALARS if CATALOGUE.names[member].field in fields]
    names = {row.member: SCALARS[row.member][0].format(account) for row in rows}
    return names, {row.field: SCALARS[row.member][1] for row in rows}


def _custom(account: Account, entity: str) -> tuple[dict[str, Any], dict[int, Any]]:
    """The custom fields that an entity has, by name and by id."""
    fields = account.reference.custom_fields
    rows = {key: row for key, row in CUSTOM.items() if entity in fields[row[1]]["available_on"]}
    return {key: row[0] for key, row in rows.items()}, {row[1]: row[2] for row in rows.values()}


def _truth(account: Account, entity: str, reply: Message) -> dict[str, Any]:
    """The record that a command has made, as it is at Copper."""
    assert reply.value["status"] == "succeeded", reply.value
    record = account.record(entity, reply.value["record"]["id"])
    assert record is not None
    return record


def _shown(record: Mapping[str, Any], by_id: Mapping[str, Any]) -> dict[str, Any]:
    return {field: record[field] for field in by_id}


@pytest.mark.parametrize("entity", CATALOGUE.followed)
async def test_every_name_of_a_record_is_written_as_what_it_stands_for(
    shared: Stage, acme: Account, entity: str
) -> None:
    names, by_id = _by_name(acme.name, entity)
    custom, kept = _custom(acme, entity)
    data = {"name": f"by name {entity}", **names, "custom_fields": custom} | (LOST if "loss_reason" in names else {})
    made = await shared.ask(acme.name, entity, "create", data=data)
    truth = _truth(acme, entity, made)
    values = {each["custom_field_definition_id"]: each["value"] for each in truth["custom_fields"]}
    assert _shown(truth, by_id) == by_id
    assert {field: values[field] for field in kept} == kept

    expect = {**names, "custom_fields": custom}
    edited = await shared.ask(
        acme.name, entity, "update", record_id=truth["id"], data={"assignee": None}, expect=expect
    )
    assert _truth(acme, entity, edited)["assignee_id"] is None


async def test_an_activity_takes_its_type_and_user_by_name(shared: Stage, acme: Account) -> None:
    names, by_id = _by_name(acme.name, "activity")
    person = acme.create("person", {"name": "Mara"})["id"]
    data = {"parent": {"type": "person", "id": person}, "details": "Called", **names}
    reply = await shared.ask(acme.name, "activity", "create", data=data)
    assert reply.value["status"] == "succeeded", reply.value
    assert by_id.keys() == {"type", "user_id"}
    assert _shown(reply.value["record"], by_id) == by_id


async def test_a_pipeline_by_name_takes_a_stage_of_its_own_by_name(shared: Stage, acme: Account) -> None:
    data = {"name": "Renewal", "pipeline": "renewals", "pipeline_stage": "in talks"}
    reply = await shared.ask(acme.name, "opportunity", "create", data=data)
    assert _shown(reply.value["record"], {"pipeline_id": 0, "pipeline_stage_id": 0}) == {
        "pipeline_id": 5102,
        "pipeline_stage_id": 7302,
    }


async def test_an_upsert_and_a_conversion_take_names(shared: Stage, acme: Account) -> None:
    lead = await shared.ask(
        acme.name,
        "lead",
        "upsert",
        match={"field": "name", "value": "Ivo Brand"},
        data={"name": "Ivo Brand", "assignee": "Dev Patel", "custom_fields": {"Tier": "Bronze"}},
    )
    assert lead.value["record"]["assignee_id"] == 41204
    said = {"name": "Pilot", "assignee": "Ada Okafor", "pipeline": "Sales", "pipeline_stage": "Contract"}
    data = {"person": {"contact_type": "Other", "assignee": "Dev Patel"}, "opportunity": said}
    reply = await shared.ask(acme.name, "lead", "convert", record_id=lead.value["record"]["id"], data=data)
    made = reply.value["record"]
    assert (made["person"]["contact_type_id"], made["person"]["assignee_id"]) == (77013, 41204)
    opportunity = made["opportunity"]
    assert (opportunity["assignee_id"], opportunity["pipeline_stage_id"]) == (41201, 7204)


async def test_somebody_who_joined_after_the_users_were_read_is_found(shared: Stage, acme: Account) -> None:
    """Whoever waits for the next look at the list waits ten seconds at most."""
    await shared.ask(acme.name, "task", "create", data={"name": "x", "assignee": "Dev Patel"})
    before = len(shared.calls(acme.name, path="/users/search"))
    acme.reference.users.append({"id": 41300, "name": "Noor Haddad", "email": "noor@x.example", "groups": []})
    reply = await shared.ask(acme.name, "task", "create", data={"name": "x", "assignee": "noor@x.example"})
    assert reply.value["record"]["assignee_id"] == 41300
    assert len(shared.calls(acme.name, path="/users/search")) == before + 1


async def test_what_is_no_name_is_invalid_with_the_candidates_and_nothing_is_written(
    shared: Stage, acme: Account
) -> None:
    acme.reference.pipelines[1]["stages"].append({"id": 7399, "name": "proposal", "win_probability": 1})
    acme.reference.pipelines[0]["stages"].append({"id": 7299, "name": "Ambiguous", "win_probability": 1})
    acme.reference.pipelines[1]["stages"].append({"id": 7398, "name": "Ambiguous", "win_probability": 1})
    effects = len(acme.effects)
    asked = {
        "unknown": {"name": "x", "assignee": "Bern Lindqvist", "custom_fields": {"Renewal date": "soon"}},
        "ambiguous": {"name": "x", "pipeline_stage": "Ambiguous"},
        "both": {"name": "x", "assignee": "Dev Patel", "assignee_id": 41204},
    }
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(shared.ask(acme.name, "opportunity", "create", data=data))
            for name, data in asked.items()
        }
    errors = {name: task.result().value["error"] for name, task in tasks.items()}
    assert {error["type"] for error in errors.values()} == {"invalid"}
    assert errors["unknown"]["fields"].keys() == {"data.assignee", "data.custom_fields.Renewal date"}
    assert errors["unknown"]["fields"]["data.assignee"][0].startswith('no such user; there is "Ben Lindqvist"')
    assert '7299 of "Sales", 7398 of "Renewals"' in errors["ambiguous"]["detail"]
    assert errors["both"]["fields"] == {"data.assignee_id": ["is said by name too: give one of the two"]}
    assert len(acme.effects) == effects
