"""Snapshots over HTTP and a real Kafka: asked for, told of, as created events, and deeper than search can reach."""

from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from bridge.contract.control import Asked, Control, encode_control
from bridge.sandbox.copper import CopperDouble, Knobs
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import ENTITIES, Stage, stage

ACCOUNT, BULK = "acme", "bulk"
COUNT = 2_000
REACHABLE = 500
"""Rows of one search."""
SINCE = 1_700_000_000
TIES = 7
"""Records were created in one second."""
IMPORT, REACHABLE_OF_IT = 300, 250
"""Records were created in one second of an import."""


@pytest.fixture(scope="module")
async def deep(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    def furnish(copper: CopperDouble) -> None:
        seconds = [SINCE + n // TIES for n in range(COUNT)]
        rows = [{"name": f"old {n}", "date_created": at, "date_modified": at} for n, at in enumerate(seconds)]
        copper.account(ACCOUNT).load("task", rows)
        crowd = [{"name": f"bulk {n}", "date_created": SINCE, "date_modified": SINCE} for n in range(IMPORT)]
        bulk = copper.account(BULK)
        bulk.load("task", crowd)
        bulk.store.knobs = replace(bulk.store.knobs, search_depth=REACHABLE_OF_IT, unstable_ties=False)

    events = _only("task") | {"poll_every": "2s"}
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("deep"),
        [ACCOUNT, BULK],
        knobs=Knobs(search_depth=REACHABLE),
        before=furnish,
        events=events,
    ) as play:
        yield play


def _only(*entities: str) -> dict[str, Any]:
    return {entity: {"enabled": False} for entity in ENTITIES if entity not in entities}


async def _told(play: Stage, told: str, name: str | None, *, account: str = ACCOUNT) -> Message:
    def wanted(each: Message) -> bool:
        return bool((each.value["type"], each.value["account"], each.value["control_id"]) == (told, account, name))

    return await play.log.one(play.names.notifications, wanted, seconds=60)


async def _ask(play: Stage, name: str) -> None:
    value = encode_control(Control(name, Asked.SNAPSHOT, ACCOUNT, "task"))
    await play.send(play.names.control, value, key=ACCOUNT.encode(), partition=play.shard(ACCOUNT))


def _rows(play: Stage, start: int = 0) -> Counter[tuple[str, int]]:
    changes = play.log.of(play.names.changes("task"), lambda each: each.value["source"]["account"] == ACCOUNT)
    return Counter((each.value["op"], each.value["source"]["id"]) for each in changes[start:])


async def test_a_first_snapshot_reads_more_records_than_one_search_can_reach(deep: Stage) -> None:
    completed = await _told(deep, "snapshot.completed", None)
    await deep.log.caught_up()
    ids = {record["id"] for record in deep.account(ACCOUNT).records("task")}
    assert len(ids) == COUNT > REACHABLE
    assert _rows(deep) == {("r", record_id): 1 for record_id in ids}
    assert completed.value["data"] == {"records": COUNT, "calls": completed.value["data"]["calls"], "incomplete": False}
    assert await deep.metric("copper_bridge_snapshot_records", account=ACCOUNT, entity="task") == COUNT


async def test_a_snapshot_that_is_asked_for_shows_what_is_and_touches_nothing(deep: Stage) -> None:
    await _told(deep, "snapshot.completed", None)
    account = deep.account(ACCOUNT)
    await deep.log.caught_up()
    before = _rows(deep).total()
    await _ask(deep, "again")
    edited = account.records("task")[-1]["id"]
    account.edit("task", edited, {"details": "meanwhile"})
    await _told(deep, "snapshot.started", "again")
    completed = await _told(deep, "snapshot.completed", "again")
    await deep.scanned(ACCOUNT, "task")
    rows = _rows(deep, before)
    assert rows["u", edited] == 1
    others = {record["id"] for record in account.records("task")} - {edited}
    assert {key: count for key, count in rows.items() if key[1] != edited} == {("r", each): 1 for each in others}
    assert completed.value["data"]["records"] == COUNT
    state = {each.key: each.value for each in deep.log.of(deep.names.state("task"))}
    assert state[f"{ACCOUNT}/{edited}".encode()]["details"] == "meanwhile"


async def test_a_second_of_creation_that_search_cannot_reach_the_end_of_is_said_and_does_not_hold_up(
    deep: Stage,
) -> None:
    completed = await _told(deep, "snapshot.completed", None, account=BULK)
    assert completed.value["data"]["incomplete"] is True
    assert completed.value["data"]["records"] == REACHABLE_OF_IT
    await deep.scanned(BULK, "task")


async def test_a_watermark_covers_all_that_is_stamped_up_to_it(deep: Stage) -> None:
    await _told(deep, "snapshot.completed", None)
    account, key = deep.account(ACCOUNT), f"{ACCOUNT}/task".encode()
    for number in range(5):
        account.create("task", {"name": f"marked {number}"})
    newest = max(record["date_modified"] for record in account.records("task"))
    await deep.log.wait(
        deep.names.watermarks, lambda each: each.key == key and each.value["complete_to"] >= newest, seconds=60
    )
    await deep.log.caught_up()
    state = {each.key: each.value for each in deep.log.of(deep.names.state("task"))}
    missing = [each["id"] for each in account.records("task") if f"{ACCOUNT}/{each['id']}".encode() not in state]
    assert missing == []


async def test_with_backfill_what_was_there_before_is_created_too(
    bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def furnish(copper: CopperDouble) -> None:
        copper.account(ACCOUNT).load("lead", [{"name": f"lead {n}", "date_created": SINCE + n} for n in range(3)])

    directory, events = tmp_path_factory.mktemp("backfill"), {"backfill": "created"}
    async with stage(bootstrap_servers, directory, [ACCOUNT], before=furnish, events=events) as play:
        created = await play.log.wait(play.names.event("lead", "created"), lambda _: True, count=3)
        await play.scanned(ACCOUNT, "lead")
        assert {each.text("ce_via") for each in created} == {"snapshot"}
        for topic in (play.names.event("lead", "created"), play.names.event("lead", "upserted")):
            assert len(play.log.of(topic)) == 3
        assert [each.value["op"] for each in play.log.of(play.names.changes("lead"))] == ["c"] * 3
