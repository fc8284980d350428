"""Every action once: command in, effect in Copper, reply and event out."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridge.sandbox.copper import Account
from bridge.sandbox.copper.store import Effect
from tests.integration.bridge.reading import Message, validate
from tests.integration.bridge.stage import Stage

LISTED = [
    "company.create",
    "lead.create",
    "task.create",
    "opportunity.create",
    "person.create",
    "company.update",
    "lead.update",
    "task.update",
    "opportunity.update",
    "person.update",
    "company.delete",
    "lead.delete",
    "task.delete",
    "opportunity.delete",
    "person.delete",
    "lead.get-by-email",
    "lead.get",
    "lead.upsert",
    "person.get-by-email",
    "person.get",
]
"""The twenty actions that the product was ordered by, written down and nowhere derived."""
FURTHER = [
    "company.get",
    "company.search",
    "lead.search",
    "lead.convert",
    "person.search",
    "opportunity.get",
    "opportunity.search",
    "task.get",
    "task.search",
    "project.create",
    "project.update",
    "project.delete",
    "project.get",
    "project.search",
    "activity.create",
]
EFFECTS = {
    "create": ["create {}"],
    "update": ["update {}"],
    "upsert": ["update {}"],
    "delete": ["delete {}"],
    "convert": ["create company", "create person", "create opportunity", "update lead"],
}
"""Action to what becomes true in Copper, nothing more; actions that read are not among them."""
CAUSED = {"create": "created", "update": "updated", "upsert": "updated", "delete": "deleted"}
"""Action to the kind of event it causes."""

RECORDS: Mapping[str, Mapping[str, Any]] = {
    "company": {"name": "Fernway Mills", "email_domain": "fernway.example"},
    "person": {"name": "Priya Mehta", "emails": [{"email": "priya@fernway.example", "category": "work"}]},
    "lead": {"name": "Omar Keller", "email": {"email": "omar@oakline.example", "category": "work"}},
    "opportunity": {"name": "Fernway renewal"},
    "task": {"name": "Send offer"},
    "project": {"name": "Roll-out"},
}
EDITS: Mapping[str, Mapping[str, Any]] = {
    "company": {"details": "Asked for a visit"},
    "person": {"title": "Buyer"},
    "lead": {"monetary_value": 3000},
    "opportunity": {"status": "Won"},
    "task": {"status": "Completed"},
    "project": {"status": "Completed"},
}


@dataclass
class Played:
    """What was asked, what was answered, and what became true in Copper by it."""

    stage: Stage
    replies: dict[str, Message] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    done: dict[str, list[Effect]] = field(default_factory=dict)

    async def play(self, account: str, entity: str, action: str, **members: Any) -> dict[str, Any]:
        effects = self.stage.copper.effects(account)
        before, name = len(effects), f"{entity}.{action}"
        reply = await self.stage.ask(account, entity, action, command_id=f"{account}-{entity}-{action}", **members)
        self.replies[name], self.accounts[entity] = reply, account
        self.done[name] = [effect for effect in effects[before:] if effect.kind != "touch"]
        assert reply.value["status"] == "succeeded", reply.value
        return dict(reply.value["record"] or {})


@pytest.fixture(scope="module")
async def played(shared: Stage, unused: Iterator[str]) -> Played:
    """Every action once, every entity in an account of its own."""
    played = Played(shared)
    async with asyncio.TaskGroup() as group:
        for entity in RECORDS:
            group.create_task(_life(played, next(unused), entity))
        group.create_task(_activity(played, shared.account(next(unused))))
    return played


async def _life(played: Played, account: str, entity: str) -> None:
    made = await played.play(account, entity, "create", data=RECORDS[entity])
    record_id = made["id"]
    if entity == "lead":
        await _lead_alone(played, account)
    if entity == "person":
        await played.play(account, entity, "get-by-email", email="Priya@Fernway.example")
    await played.play(account, entity, "get", record_id=record_id)
    await played.play(account, entity, "search", data={"name": RECORDS[entity]["name"]} if entity != "task" else {})
    await played.play(account, entity, "update", record_id=record_id, data=EDITS[entity])
    await played.play(account, entity, "delete", record_id=record_id)


async def _lead_alone(played: Played, account: str) -> None:
    address = RECORDS["lead"]["email"]["email"]
    await played.play(account, "lead", "get-by-email", email=address)
    await played.play(account, "lead", "upsert", match={"field": "email", "value": address}, data={"title": "Founder"})
    other = await played.stage.made(account, "lead", {"name": "Yuki Tanaka", "company_name": "Oakline"})
    await played.play(account, "lead", "convert", record_id=other, data={"opportunity": {"name": "First order"}})


async def _activity(played: Played, account: Account) -> None:
    person = account.create("person", RECORDS["person"])
    said = {"type": {"category": "user", "id": 0}, "parent": {"type": "person", "id": person["id"]}, "details": "Hi"}
    await played.play(account.name, "activity", "create", data=said)


def test_there_are_twenty_listed_actions_and_fifteen_more() -> None:
    assert (len(set(LISTED)), len(set(FURTHER)), len({*LISTED, *FURTHER})) == (20, 15, 35)


@pytest.mark.parametrize("name", [*LISTED, *FURTHER])
async def test_an_action_is_answered_by_one_valid_reply(played: Played, name: str) -> None:
    reply, (entity, _, action) = played.replies[name], name.partition(".")
    account = played.accounts[entity]
    asked = f"{account}-{entity}-{action}"
    validate(reply, "reply.v1")
    assert reply.key == account.encode()
    assert reply.partition == played.stage.shard(account)
    assert reply.text("ce_id") == f"{asked}:reply"
    assert reply.text("ce_type") == f"copper.{entity}.{action}.reply.v1"
    assert reply.text("ce_causationid") == asked
    assert reply.text("ce_source") == f"/copper/{account}"
    assert reply.text("status") == "succeeded"
    assert "copper-bridge-error" not in reply.headers
    command = reply.value["command"]
    assert (command["id"], command["entity"], command["action"]) == (asked, entity, action)
    assert (command["account"], command["topic"]) == (account, played.stage.names.commands(entity))
    assert reply.value["attempts"] >= 1  # a busy machine may take longer than Copper's two seconds; one effect it is
    assert reply.value["timing"]["copper_ms"] >= 0
    assert len(played.stage.log.of(reply.topic, lambda each: each.text("ce_causationid") == asked)) == 1


@pytest.mark.parametrize("name", [*LISTED, *FURTHER])
def test_an_action_has_its_effect_once_and_one_that_reads_has_none(played: Played, name: str) -> None:
    entity, _, action = name.partition(".")
    effects, answer = played.done[name], played.replies[name].value
    assert [f"{effect.kind} {effect.entity}" for effect in effects] == [
        each.format(entity) for each in EFFECTS.get(action, [])
    ]
    if action in {"create", "update", "upsert"}:
        assert answer["record"]["id"] == effects[0].id
        assert answer["record"] == effects[0].record
    elif action == "delete":
        assert effects[0].id == played.replies[f"{entity}.create"].value["record"]["id"]


@pytest.mark.parametrize(
    "name", [each for each in [*LISTED, *FURTHER] if each.partition(".")[2] in CAUSED and "activity" not in each]
)
async def test_the_event_that_a_command_caused_names_it_and_is_named_in_its_reply(played: Played, name: str) -> None:
    entity, _, action = name.partition(".")
    asked, names = played.replies[name].text("ce_causationid"), played.stage.names
    topics = [names.event(entity, CAUSED[action]), names.changes(entity), names.state(entity)]
    for topic in topics + ([names.event(entity, "upserted")] if action != "delete" else []):
        event = await played.stage.log.one(topic, lambda each: each.text("ce_causationid") == asked)
        assert event.text("ce_id") == played.replies[name].value["event_id"]
        assert event.text("ce_via") == "command"
        if event.raw is not None:
            validate(event)


async def test_a_conversion_publishes_what_it_made_and_that_the_lead_is_gone(played: Played) -> None:
    asked, names, log = played.replies["lead.convert"].text("ce_causationid"), played.stage.names, played.stage.log
    made = played.replies["lead.convert"].value["record"]
    for entity in ("person", "company", "opportunity"):
        event = await log.one(names.event(entity, "created"), lambda each: each.text("ce_causationid") == asked)
        assert event.value["after"] == made[entity]
    gone = await log.one(names.event("lead", "deleted"), lambda each: each.text("ce_causationid") == asked)
    assert gone.value["before"]["name"] == "Yuki Tanaka"


async def test_what_is_read_is_given_as_copper_has_it(played: Played) -> None:
    made = played.replies["lead.create"].value["record"]
    assert played.replies["lead.get-by-email"].value["record"] == made
    assert played.replies["lead.get"].value["record"]["title"] == "Founder"
    assert played.replies["person.get"].value["record"] == played.replies["person.get-by-email"].value["record"]
    for entity in RECORDS:
        found = played.replies[f"{entity}.search"].value
        assert found["record"] is None
        assert played.replies[f"{entity}.create"].value["record"]["id"] in [each["id"] for each in found["records"]]


def test_an_activity_and_what_only_reads_cause_no_event_of_their_own(played: Played) -> None:
    for name in [*LISTED, *FURTHER]:
        entity, _, action = name.partition(".")
        if entity == "activity" or action not in EFFECTS:
            assert played.replies[name].value["event_id"] is None, name
