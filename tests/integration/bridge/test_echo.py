"""Read your own writes: the reply of a command names the event it caused, and that event names the command."""

from typing import Any

from bridge.sandbox.copper import Account
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage


async def _echo(shared: Stage, entity: str, reply: Message) -> Message:
    """The event that the reply names, once it is on `.changes`; it names the command."""
    assert reply.value["status"] == "succeeded", reply.value
    told = reply.value["event_id"]
    assert told is not None
    event = await shared.log.one(shared.names.event(entity, "changes"), lambda each: each.text("ce_id") == told)
    assert event.text("ce_causationid") == reply.text("ce_causationid") != ""
    return event


async def test_create_update_and_delete_are_echoed_by_the_event_that_the_reply_names(
    shared: Stage, customer: Account
) -> None:
    name = customer.config.name
    created = await shared.ask(name, "company", "create", data={"name": "Tideglass"})
    assert (await _echo(shared, "company", created)).value["op"] == "c"
    key: Any = created.value["record"]["id"]
    updated = await shared.ask(name, "company", "update", record_id=key, data={"name": "Tideglass Works"})
    event = await _echo(shared, "company", updated)
    assert event.value["after"] == updated.value["record"]
    deleted = await shared.ask(name, "company", "delete", record_id=key)
    assert (await _echo(shared, "company", deleted)).value["op"] == "d"


async def test_a_convert_echoes_the_end_of_the_lead_and_all_it_became(shared: Stage, customer: Account) -> None:
    name = customer.config.name
    lead = await shared.made(
        name, "lead", {"name": "Ada Reed", "email": {"email": "ada@reed.example", "category": "work"}}
    )
    reply = await shared.ask(name, "lead", "convert", record_id=lead, data={"person": {"name": "Ada Reed"}})
    assert reply.value["status"] == "succeeded", reply.value
    caused = reply.text("ce_causationid")
    gone = await shared.event("lead", "deleted", lead, name)
    assert gone.text("ce_causationid") == caused
    person = reply.value["record"]["person"]["id"]
    assert (await shared.event("person", "created", person, name)).text("ce_causationid") == caused
    ids = {gone.text("ce_id"), (await shared.event("person", "created", person, name)).text("ce_id")}
    assert reply.value["event_id"] in ids


async def test_an_update_that_changes_nothing_names_no_event(shared: Stage, customer: Account) -> None:
    name = customer.config.name
    company = await shared.made(name, "company", {"name": "Tideglass"})
    reply = await shared.ask(name, "company", "get", record_id=company)
    assert (reply.value["status"], reply.value["event_id"]) == ("succeeded", None)
