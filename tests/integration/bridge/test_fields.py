"""Field policy end to end: what is denied or hashed is on no topic of the bridge but where the caller put it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.contract.control import Asked, Control, encode_control
from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import ENTITIES, Stage, stage

ACCOUNT = "acme"
CANARY = b"canary"
NOTE = 50311
"""A custom field that holds text."""
NAMES = ["name", "first_name", "middle_name", "last_name"]
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "person": {"deny": ["details", "company_name"], "hash": [*NAMES, "emails", f"custom_fields.{NOTE}"]},
    "lead": {"allow": ["status", "company_name", *NAMES], "hash": [*NAMES, "company_name"]},
    "company": {"deny": ["custom_fields", "details"], "hash": ["name"]},
    "opportunity": {"allow": ["status", "monetary_value"]},
}
UNSEEN = {
    "events": {"poll_every": "1s", "hash_key": "a key of the test's own, long enough"}
    | {entity: {"fields": policy} for entity, policy in POLICIES.items()}
}


def _named(way: str, **more: Any) -> dict[str, Any]:
    """A record that says its secrets in every field that may hold them."""
    return {"name": f"canary-name-{way}", "details": f"canary-details-{way}", **more}


def _noted(way: str) -> list[dict[str, Any]]:
    return [{"custom_field_definition_id": NOTE, "value": f"canary-note-{way}"}]


def _person(way: str) -> dict[str, Any]:
    emails = [{"email": f"canary-{way}@reed.example", "category": "work"}]
    return _named(way, emails=emails, custom_fields=_noted(way))


def _lead(way: str) -> dict[str, Any]:
    email = {"email": f"canary-{way}@brand.example", "category": "work"}
    return _named(way, email=email, company_name=f"canary-company-{way}")


def _furnish(copper: CopperDouble) -> None:
    for entity, make in (("person", _person), ("lead", _lead), ("company", _named), ("opportunity", _named)):
        copper.account(ACCOUNT).create(entity, make("snapshot"))


async def _people(play: Stage, *, deletes: bool) -> None:
    """Creates and edits that polls or webhooks tell of, and deletes that only webhooks do."""
    copper = play.account(ACCOUNT)
    await play.log.wait(
        play.names.notifications, lambda each: each.value["type"] == "snapshot.completed", count=len(ENTITIES)
    )
    for entity, make in (("person", _person), ("lead", _lead), ("company", _named), ("opportunity", _named)):
        record_id = copper.create(entity, make("people"))["id"]
        await play.event(entity, "created", record_id, ACCOUNT)
        copper.edit(entity, record_id, {"name": "canary-renamed", "details": "canary-told"} | _shown(entity))
        await play.event(entity, "updated", record_id, ACCOUNT)
        if deletes:
            copper.delete(entity, record_id)
            await play.event(entity, "deleted", record_id, ACCOUNT)


def _shown(entity: str) -> dict[str, Any]:
    """An edit that every policy shows something of."""
    return {"status": "Won"} if entity == "opportunity" else {}


async def _commands(play: Stage) -> list[Message]:
    """Every action with an answer that shows a record."""
    person = await play.made(ACCOUNT, "person", _person("command"))
    lead = await play.made(ACCOUNT, "lead", _lead("command"))
    address = {"field": "email", "value": "canary-command@brand.example"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("person", "update", {"record_id": person, "data": {"details": "canary-hidden"}}),
        ("person", "update", {"record_id": person, "data": {"name": "canary-shown", "title": "Buyer"}}),
        ("person", "get", {"record_id": person, "command_id": "kept"}),
        ("person", "get", {"record_id": person, "command_id": "kept"}),
        ("person", "get-by-email", {"email": "canary-command@reed.example"}),
        ("person", "search", {"data": {}}),
        ("lead", "upsert", {"match": address, "data": {"title": "Founder"}}),
        ("lead", "get", {"record_id": lead}),
        ("lead", "convert", {"record_id": lead, "data": {"opportunity": {"name": "canary-deal"}}}),
        ("person", "delete", {"record_id": person}),
    ]
    return [await play.ask(ACCOUNT, entity, action, **members) for entity, action, members in asked]


async def _snapshot(play: Stage) -> None:
    """A snapshot on demand, to its end."""
    value = encode_control(Control("again", Asked.SNAPSHOT, ACCOUNT, "person"))
    await play.send(play.names.control, value, key=ACCOUNT.encode(), partition=play.shard(ACCOUNT))
    await play.log.one(
        play.names.notifications,
        lambda each: (each.value["type"], each.value["control_id"]) == ("snapshot.completed", "again"),
    )


@pytest.mark.parametrize("webhooks", [False, True], ids=["polls", "webhooks"])
async def test_denied_and_hashed_values_are_where_their_callers_put_them_and_nowhere_else(
    bootstrap_servers: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], webhooks: bool
) -> None:
    settings = UNSEEN["events"] | ({"poll_every": "10m"} if webhooks else {})
    async with stage(
        bootstrap_servers, tmp_path, [ACCOUNT], before=_furnish, webhooks=webhooks, events=settings
    ) as play:
        if webhooks:
            await play.subscribed(ACCOUNT)
        await _people(play, deletes=webhooks)
        replies = await _commands(play)
        await _snapshot(play)
        await play.log.caught_up()
        said = [m for entity in POLICIES for m in play.log.of(play.names.commands(entity))]
        read = [m for messages in play.log.messages.values() for m in messages if m not in said]
        truth = repr([play.account(ACCOUNT).records(entity) for entity in POLICIES]).encode()
    logged = "".join(capfd.readouterr()).encode()
    files = _files(tmp_path)
    leaks = [f"{m.topic} {m.text('ce_via')} {m.text('ce_type')}" for m in read if _says(m)]
    with capfd.disabled():
        print(
            f"{len(read)} records of {len({m.topic for m in read})} topics, {len(files)} files, {len(logged)} bytes of"
            f" log: {len(leaks)} hits; commands: {sum(map(_says, said))} of {len(said)}; Copper: {truth.count(CANARY)}"
        )
    assert leaks == []
    assert [CANARY in each for each in (*files, logged)].count(True) == 0
    assert {m.value["status"] for m in replies} == {"succeeded"}
    assert replies[3].value["duplicate"]
    assert replies[2].value["record"]["first_name"].startswith("hmac-sha256:")
    assert min(sum(map(_says, said)), truth.count(CANARY)) > 0
    via = {m.text("ce_via") for m in read}
    assert via >= {"snapshot", "command", "webhook" if webhooks else "poll"}


def _says(message: Message) -> bool:
    return CANARY in b"".join([message.key or b"", message.raw or b"", *(value for _, value in message.pairs)])


def _files(directory: Path) -> list[bytes]:
    """What the bridge keeps on disk."""
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]
