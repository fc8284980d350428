"""Read your own writes: the reply of a command names the event it caused, and that event names the command."""

from pathlib import Path
from typing import Any

from bridge.sandbox.copper import Account, Fault
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage, stage


async def _echo(shared: Stage, entity: str, reply: Message) -> Message:
    """The event that the reply names, once it is on `.changes`; it names the command."""
    assert reply.value["status"] == "succeeded", reply.value
    told = reply.value["event_id"]
    assert told is not None
    source = reply.text("ce_source")  # an id is unique within its source: the accounts of this test begin at one number
    event = await shared.log.one(
        shared.names.event(entity, "changes"),
        lambda each: (each.text("ce_id"), each.text("ce_source")) == (told, source),
    )
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


async def test_an_upsert_is_echoed_whether_it_makes_or_edits(shared: Stage, customer: Account) -> None:
    name, address = customer.config.name, "noor@brand.example"
    match = {"field": "email", "value": address}
    for op, data in (
        ("c", {"name": "Noor", "email": {"email": address, "category": "work"}}),
        ("u", {"title": "Buyer"}),
    ):
        reply = await shared.ask(name, "lead", "upsert", match=match, data=data)
        assert (await _echo(shared, "lead", reply)).value["op"] == op


async def test_a_repeated_command_names_the_event_of_the_first(shared: Stage, customer: Account) -> None:
    asked: dict[str, Any] = {"data": {"name": "Tideglass"}, "command_id": f"{customer.config.name}-once"}
    first = await shared.ask(customer.config.name, "company", "create", **asked)
    again = await shared.ask(customer.config.name, "company", "create", **asked)
    assert again.value["duplicate"]
    assert again.value["event_id"] == (await _echo(shared, "company", first)).text("ce_id")


def _unheard(name: str) -> Fault:
    """The next update is carried out and its answer lost."""
    return Fault("status", when="after", status=502, method="PUT", path="/companies/*", account=name)


async def test_an_update_whose_answer_was_lost_is_echoed_all_the_same(shared: Stage, customer: Account) -> None:
    name = customer.config.name
    company = await shared.made(name, "company", {"name": "Tideglass"})
    shared.copper.fault(_unheard(name))
    reply = await shared.ask(name, "company", "update", record_id=company, data={"name": "Tideglass Works"})
    assert (await _echo(shared, "company", reply)).value["changed"] == ["name"]


async def test_what_a_poll_saw_before_the_answer_is_in_the_state_before_the_reply(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    async with stage(bootstrap_servers, tmp_path, ["acme"], events={"poll_every": "1s"}) as play:
        company = await play.made("acme", "company", {"name": "Tideglass"})
        play.copper.fault(_unheard("acme"))
        asked = await play.command("acme", "company", "update", record_id=company, data={"name": "Tideglass Works"})
        event = await play.event("company", "updated", company, "acme")
        assert not play.log.of(play.names.replies("company"), lambda each: asked in each.headers.values())
        assert (event.text("ce_via"), event.text("ce_causationid")) == ("poll", "")
        reply = await play.reply("company", asked)
        assert (reply.value["status"], reply.value["event_id"]) == ("succeeded", None)
        *_, state = play.log.of(play.names.state("company"))
        assert state.key == f"acme/{company}".encode()
        assert state.value["date_modified"] >= reply.value["record"]["date_modified"]
        await play.log.caught_up()
        assert len(play.log.of(play.names.event("company", "updated"))) == 1
