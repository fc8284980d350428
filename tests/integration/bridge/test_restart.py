"""Stopping and starting: nothing is published or carried out again, whatever has become of the local state."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.copper import CopperDouble, Fault, Knobs
from tests.integration.bridge.reading import repeated
from tests.integration.bridge.stage import ENTITIES, Stage, eventually, stage

ACCOUNT = "acme"


def furnish(copper: CopperDouble) -> None:
    long_ago = int(copper.clock()) - 900_000
    for entity in ENTITIES:
        stamps = {"date_created": long_ago, "date_modified": long_ago}
        copper.account(ACCOUNT).load(entity, [{"name": f"Old {number}", **stamps} for number in range(3)])


@pytest.fixture(scope="module")
async def restarted(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge with records known by snapshot, poll and command."""
    directory = tmp_path_factory.mktemp("restarted")
    async with stage(
        bootstrap_servers,
        directory,
        [ACCOUNT],
        knobs=Knobs(index_lag=0.5),
        before=furnish,
        events={"poll_every": "3s"},
        commands={"allow_delete": False},
    ) as play:
        for entity in ENTITIES:
            await play.log.wait(play.names.changes(entity), lambda each: each.value["op"] == "r", count=3)
        yield play


def directory(play: Stage) -> Path:
    return play.settings.state.dir


def memory(play: Stage) -> Path:
    """The file of the account's shard."""
    return directory(play) / f"shard-{play.shard(ACCOUNT)}.sqlite"


def keep(play: Stage) -> None:
    """All is as it was left: nothing of any changelog is left to be replayed."""
    connection = sqlite3.connect(memory(play))
    offsets = dict(connection.execute("SELECT topic, next FROM changelog"))
    connection.close()
    topics = [play.names.cursors, play.names.journal, *map(play.names.state, ENTITIES)]
    last = {
        topic: max((each.offset for each in play.log.of(topic) if each.partition == play.shard(ACCOUNT)), default=-1)
        for topic in topics
    }
    assert {topic: offset for topic, offset in last.items() if offset >= offsets.get(topic, 0)} == {}


def lose(play: Stage) -> None:
    shutil.rmtree(directory(play))


def damage(play: Stage) -> None:
    """What the file is known by is whole, so that it is opened; what it is there for is not."""
    connection = sqlite3.connect(memory(play))
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    kept = "SELECT rootpage FROM sqlite_master WHERE tbl_name IN ('state', 'cursor', 'journal')"
    pages = [page for (page,) in connection.execute(kept)]
    connection.close()
    assert len(pages) > 3
    with memory(play).open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


def replace_by_junk(play: Stage) -> None:
    memory(play).write_bytes(b"no database at all" * 1000)


@pytest.mark.parametrize("meanwhile", [keep, lose, damage, replace_by_junk])
async def test_after_a_restart_all_goes_on_where_it_was(restarted: Stage, meanwhile: Callable[[Stage], None]) -> None:
    play, what = restarted, meanwhile.__name__
    people, names = play.account(ACCOUNT), play.names
    old = people.records("company")[0]
    scan = f"scan/{ACCOUNT}/company".encode()
    order = {"command_id": f"order {what}", "data": {"name": what}}
    made = await play.ask(ACCOUNT, "company", "create", **order)
    await play.scanned(ACCOUNT, "company")
    cursor = play.log.of(names.cursors, lambda each: each.key == scan)[-1].value
    rows = len(play.log.of(names.changes("company"), lambda each: each.value["op"] == "r"))

    await play.stop()
    await play.log.caught_up()
    meanwhile(play)
    new = people.create("company", {"name": f"Made while stopped, {what}"})
    edited = people.edit("company", old["id"], {"details": what})
    await play.start()

    again = await play.ask(ACCOUNT, "company", "create", **order)
    assert again.value["duplicate"] is True
    assert again.value["record"] == made.value["record"]
    await play.event("company", "created", new["id"], ACCOUNT)
    key = f"{ACCOUNT}/{old['id']}".encode()
    updated = await play.log.one(
        names.event("company", "updated"), lambda each: each.key == key and each.value["after"] == edited
    )
    assert updated.value["before"] == old
    await play.scanned(ACCOUNT, "company")
    after = play.log.of(names.cursors, lambda each: each.key == scan)[-1].value
    assert after["followed_since"] == cursor["followed_since"]
    assert after["lower"] > cursor["lower"]
    assert after["resume_at"] is None
    assert len(play.log.of(names.changes("company"), lambda each: each.value["op"] == "r")) == rows
    for entity in ENTITIES:
        assert repeated(play.log.of(names.changes(entity))) == []
    created = [effect for effect in people.effects if effect.by == "api" and effect.body.get("name") == what]
    assert len(created) == 1


async def test_a_stop_finishes_the_command_that_copper_is_at(restarted: Stage) -> None:
    restarted.copper.fault(Fault("slow", seconds=1.0, method="POST", path="/tasks"))
    asked = await restarted.command(ACCOUNT, "task", "create", data={"name": "Under way"})
    await eventually(lambda: bool(restarted.calls(ACCOUNT, "POST", "/tasks")))
    await restarted.stop()
    reply = await restarted.reply("task", asked)
    assert (reply.value["status"], reply.value["attempts"]) == ("succeeded", 1)
    await restarted.start()


async def test_deletes_can_be_switched_off(restarted: Stage) -> None:
    record_id = restarted.account(ACCOUNT).records("company")[0]["id"]
    reply = await restarted.ask(ACCOUNT, "company", "delete", record_id=record_id)
    assert (reply.value["status"], reply.text("copper-bridge-error")) == ("failed", "forbidden")
    assert restarted.calls(ACCOUNT, "DELETE") == []
    assert restarted.account(ACCOUNT).record("company", record_id) is not None


async def test_an_input_topic_that_was_made_again_is_refused_and_not_skipped(
    restarted: Stage, bootstrap_servers: str
) -> None:
    """Its positions start afresh: what the bridge remembers would lie beyond its end, and hide what is new."""
    play, topic = restarted, restarted.names.commands("project")
    await play.ask(ACCOUNT, "project", "search", data={})
    await play.stop()
    await make_again(bootstrap_servers, topic, partitions=play.settings.topics.partitions)

    starting = asyncio.create_task(play.start())
    await eventually(lambda: play.running is not None)
    deadline = asyncio.get_running_loop().time() + 30
    while not await play.metric("copper_bridge_shard_sessions_ended_total", how="cut-off"):
        assert asyncio.get_running_loop().time() < deadline
    starting.cancel()
    await play.stop()


async def make_again(bootstrap_servers: str, topic: str, *, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():
            pass
        while (await admin.create_topics([NewTopic(topic, partitions, 1)])).topic_errors[0][1]:
            pass
    finally:
        await admin.close()
