"""Every trigger: people change things in Copper, and the event is read back from all its topics."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

import pytest

from bridge.sandbox.copper import CopperDouble, Fault, Knobs
from tests.integration.bridge.reading import Message, repeated, validate
from tests.integration.bridge.stage import ENTITIES, Stage, stage

LISTED = [
    "company.created",
    "company.updated",
    "company.deleted",
    "lead.upserted",
    "opportunity.created",
    "opportunity.updated",
    "opportunity.deleted",
    "person.created",
    "person.upserted",
    "task.created",
    "task.updated",
    "task.deleted",
]
"""The twelve triggers that the product was ordered by, written down and nowhere derived."""
FURTHER = [
    "company.upserted",
    "lead.created",
    "lead.updated",
    "lead.deleted",
    "opportunity.upserted",
    "person.updated",
    "person.deleted",
    "task.upserted",
    "project.created",
    "project.updated",
    "project.upserted",
    "project.deleted",
]
HOME = {
    "company": "acme",
    "person": "acme",
    "lead": "hooli",
    "opportunity": "hooli",
    "task": "initech",
    "project": "initech",
}
"""Entity to the account it is changed in: three budgets are quicker than one."""
DAY_S = 86_400
POLL_S = 4

MADE: Mapping[str, Mapping[str, Any]] = {
    "company": {"name": "Tideglass Ltd"},
    "person": {"name": "Mara Oduya", "emails": [{"email": "mara@tideglass.example", "category": "work"}]},
    "lead": {"name": "Ivo Brand", "email": {"email": "ivo@brand.example", "category": "work"}},
    "opportunity": {"name": "Tideglass pilot"},
    "task": {"name": "Call Mara"},
    "project": {"name": "Roll-out"},
}
EDITED: Mapping[str, Mapping[str, Any]] = {
    "company": {"details": "Glass from tidal furnaces"},
    "person": {"title": "Buyer"},
    "lead": {"title": "Founder"},
    "opportunity": {"status": "Won"},
    "task": {"priority": "High"},
    "project": {"details": "In May"},
}


def furnish(copper: CopperDouble) -> None:
    """A record of every entity that was there long before the bridge."""
    long_ago = int(copper.clock()) - 9 * DAY_S
    stamps = {"date_created": long_ago, "date_modified": long_ago + DAY_S}
    for entity, account in HOME.items():
        copper.account(account).load(entity, [{"name": "Old", **stamps}])


@pytest.fixture(scope="module")
async def lively(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that polls and is notified; search lags behind, as Copper's does."""
    knobs, often = Knobs(index_lag=1.0), {"poll_every": f"{POLL_S}s"}
    directory, accounts = tmp_path_factory.mktemp("lively"), [*dict.fromkeys(HOME.values()), "late"]
    async with stage(
        bootstrap_servers, directory, accounts, knobs=knobs, before=furnish, webhooks=True, events=often
    ) as play:
        yield play


@pytest.fixture(scope="module")
async def lives(lively: Stage) -> Mapping[str, int]:
    """A record of every entity is created, edited and deleted, each once the change before is published."""
    await lively.subscribed(*HOME.values())
    async with asyncio.TaskGroup() as group:
        living = {entity: group.create_task(_life(lively, entity)) for entity in ENTITIES}
    return {entity: task.result() for entity, task in living.items()}


async def _life(play: Stage, entity: str) -> int:
    account = play.account(HOME[entity])
    await play.log.wait(play.names.changes(entity), lambda each: each.value["op"] == "r")
    record_id = int(account.create(entity, MADE[entity])["id"])
    await play.event(entity, "created", record_id, account.name)
    account.edit(entity, record_id, EDITED[entity])
    await play.event(entity, "updated", record_id, account.name)
    account.delete(entity, record_id)
    await play.event(entity, "deleted", record_id, account.name)
    return record_id


def story(play: Stage, topic: str, entity: str, record_id: int) -> list[Message]:
    """What a topic says about a record."""
    key = f"{HOME[entity]}/{record_id}".encode()
    return play.log.of(topic, lambda each: each.key == key)


def test_there_are_twelve_listed_triggers_and_twelve_more() -> None:
    assert (len(set(LISTED)), len(set(FURTHER)), len({*LISTED, *FURTHER})) == (12, 12, 24)


@pytest.mark.parametrize("name", [*LISTED, *FURTHER])
async def test_a_trigger_has_its_events_valid_against_its_schema(
    lively: Stage, lives: Mapping[str, int], name: str
) -> None:
    entity, _, kind = name.partition(".")
    ops = {"created": ["c"], "updated": ["u"], "upserted": ["c", "u"], "deleted": ["d"]}[kind]
    key = f"{HOME[entity]}/{lives[entity]}".encode()
    events = await lively.log.wait(lively.names.event(entity, kind), lambda each: each.key == key, count=len(ops))
    assert [event.value["op"] for event in events] == ops
    for event in events:
        validate(event, f"{name}.v1")
        assert event.partition == lively.shard(HOME[entity])


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_event_has_the_headers_of_cloudevents(lively: Stage, lives: Mapping[str, int], entity: str) -> None:
    events = story(lively, lively.names.changes(entity), entity, lives[entity])
    for event, kind in zip(events, ("created", "updated", "deleted"), strict=True):
        record = event.value["after"] or event.value["before"]
        stamp = record["date_modified"]
        assert event.text("ce_specversion") == "1.0"
        assert re.fullmatch(rf"{entity}:{lives[entity]}:{stamp}:[0-9a-f]{{16}}:{kind}", event.text("ce_id"))
        assert event.text("ce_source") == f"/copper/{HOME[entity]}"
        assert event.text("ce_type") == f"copper.{entity}.{kind}.v1"
        assert event.text("ce_subject") == f"{entity}/{lives[entity]}"
        assert event.text("content-type") == "application/json"
        assert event.text("ce_dataschema").endswith(f"{entity}.{kind}.v1")
        assert event.text("ce_via") in {"poll", "webhook"}
        happened, recorded = (moment(event.text(name)) for name in ("ce_time", "ce_recordedtime"))
        assert happened <= recorded
        assert kind == "deleted" or happened == stamp
        assert event.value["source"]["ts_ms"] == round(happened * 1000)
        assert event.value["ts_ms"] == round(recorded * 1000)
        assert "ce_causationid" not in event.headers


def moment(text: str) -> float:
    """RFC 3339 as Unix seconds."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_event_says_all_that_was_and_is(lively: Stage, lives: Mapping[str, int], entity: str) -> None:
    account, record_id = lively.account(HOME[entity]), lives[entity]
    made, edited, _ = (each.record for each in account.effects if (each.entity, each.id) == (entity, record_id))
    created, updated, deleted = story(lively, lively.names.changes(entity), entity, record_id)
    assert (created.value["before"], created.value["after"], created.value["changed"]) == (None, made, [])
    assert (updated.value["before"], updated.value["after"]) == (made, edited)
    assert updated.value["changed"] == list(EDITED[entity])
    assert (deleted.value["before"], deleted.value["after"], deleted.value["changed"]) == (edited, None, [])
    assert deleted.value["source"]["via"] == "webhook"
    assert "seen" not in deleted.value["source"]


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_change_lies_in_all_its_topics_under_one_id(lively: Stage, lives: Mapping[str, int], entity: str) -> None:
    names = lively.names
    for kind in ("created", "updated", "deleted"):
        (event,) = story(lively, names.event(entity, kind), entity, lives[entity])
        topics = [names.changes(entity), names.state(entity)]
        topics += [names.event(entity, "upserted")] if kind != "deleted" else []
        for topic in topics:
            same = [each for each in lively.log.of(topic) if each.text("ce_id") == event.text("ce_id")]
            assert [each.text("ce_recordedtime") for each in same] == [event.text("ce_recordedtime")], topic
            if topic != names.state(entity):
                assert same[0].raw == event.raw


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_state_is_the_record_itself_and_null_once_it_is_deleted(
    lively: Stage, lives: Mapping[str, int], entity: str
) -> None:
    *living, gone = story(lively, lively.names.state(entity), entity, lives[entity])
    changes = story(lively, lively.names.changes(entity), entity, lives[entity])
    assert [each.value for each in living] == [each.value["after"] for each in changes[:2]]
    for each in living:
        validate(each, f"{entity}.record.v1")
    assert gone.raw is None
    assert gone.text("ce_type") == f"copper.{entity}.deleted.v1"


@pytest.mark.parametrize("entity", ENTITIES)
async def test_what_was_there_before_is_a_snapshot_row_and_its_first_edit_an_update(lively: Stage, entity: str) -> None:
    (old,) = [each for each in lively.account(HOME[entity]).records(entity) if each["name"] == "Old"]
    (row,) = await lively.log.wait(lively.names.changes(entity), lambda each: each.value["op"] == "r")
    validate(row, f"{entity}.snapshot.v1")
    assert (row.value["before"], row.value["after"]) == (None, old)
    assert row.text("ce_via") == row.value["source"]["via"] == "snapshot"
    assert story(lively, lively.names.event(entity, "created"), entity, old["id"]) == []
    assert story(lively, lively.names.event(entity, "upserted"), entity, old["id"]) == []
    edited = lively.account(HOME[entity]).edit(entity, old["id"], EDITED[entity])
    updated = await lively.event(entity, "updated", old["id"], HOME[entity])
    assert (updated.value["before"], updated.value["after"]) == (old, edited)


async def test_a_new_stamp_alone_is_no_event_and_is_counted(lively: Stage, lives: Mapping[str, int]) -> None:
    """A task on an opportunity moves the opportunity's `date_modified` and nothing else of it."""
    account = lively.account("hooli")
    deal = account.create("opportunity", {"name": "Renewal"})
    await lively.event("opportunity", "created", deal["id"], "hooli")
    counted = await lively.metric("copper_bridge_sightings_without_event_total", reason="only-stamp")
    lively.copper.shift_clock(1)  # stamps are whole seconds
    account.create("task", {"name": "Offer", "related_resource": {"id": deal["id"], "type": "opportunity"}})
    touched = account.record("opportunity", deal["id"])
    assert touched is not None
    assert touched["date_modified"] > deal["date_modified"]
    await lively.scanned("hooli", "opportunity")
    assert await lively.metric("copper_bridge_sightings_without_event_total", reason="only-stamp") > counted
    account.edit("opportunity", deal["id"], {"details": "Signed"})
    updated = await lively.event("opportunity", "updated", deal["id"], "hooli")
    assert updated.value["changed"] == ["details"]


async def test_a_delete_that_was_announced_of_a_record_never_seen_says_so(lively: Stage) -> None:
    await lively.subscribed("hooli")
    account = lively.account("hooli")
    record_id = account.create("company", {"name": "Soap bubble"})["id"]
    account.delete("company", record_id)
    deleted = await lively.event("company", "deleted", record_id, "hooli")
    validate(deleted, "company.deleted.v1")
    assert deleted.value["before"] == {"id": record_id}
    assert deleted.value["source"]["seen"] is False
    assert len(lively.log.of(lively.names.changes("company"), lambda each: each.key == deleted.key)) == 1


async def test_a_page_that_is_html_or_cut_off_is_read_again_and_nothing_is_lost(lively: Stage) -> None:
    account = lively.account("late")
    account.subscriptions.rows.clear()  # what is published now, a poll has found
    search: dict[str, Any] = {"method": "POST", "path": "/companies/search", "account": "late"}
    lively.copper.fault(Fault("status", status=200, body="html", **search), Fault("cut", **search))
    record_id = account.create("company", {"name": "Behind the fog"})["id"]
    created = await lively.event("company", "created", record_id, "late")
    assert created.text("ce_via") == "poll"
    assert lively.copper.faults.up == []


def test_no_change_was_published_twice(lively: Stage) -> None:
    events = [topic for topic in lively.log.messages if ".bridge." not in topic and not topic.endswith("replies")]
    assert len(events) > 20
    assert [topic for topic in events if repeated(lively.log.of(topic))] == []
