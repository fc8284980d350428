"""The operators' commands with a bridge at work: what is asked on the command line is done, and told there."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import pytest

from bridge.sandbox.copper import CopperDouble, Knobs
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import ENTITIES, Stage, stage

pytestmark = pytest.mark.nightly
"""Shown in little by the tests of the parts, in a few seconds."""

PATIENCE_S = 90
EACH = 5
ACCOUNT = "acme"


def furnish(copper: CopperDouble) -> None:
    long_ago = int(copper.clock()) - 900_000
    for entity in ENTITIES:
        stamps = {"date_created": long_ago, "date_modified": long_ago}
        copper.account(ACCOUNT).load(entity, [{"name": f"Old {number}", **stamps} for number in range(EACH)])


def _about(entity: str) -> Callable[[Message], bool]:
    return lambda each: each.key == f"{ACCOUNT}/{entity}".encode()


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that holds more than two deletes back, with its first snapshots taken and a first look at who asks."""
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("operated"),
        [ACCOUNT],
        knobs=Knobs(index_lag=0.5),
        before=furnish,
        events={"poll_every": "8s", "sweep_every": "1h", "hold_deletes_above": 2},
    ) as here:
        for entity in ENTITIES:
            await here.log.wait(here.names.watermarks, _about(entity))
        await here.log.wait(here.names.cursors, lambda each: each.key == f"sweep/{ACCOUNT}".encode())
        yield here


async def cli(play: Stage, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments, "-b", play.servers, "--prefix", play.names.prefix),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def status(play: Stage) -> Any:
    assert play.running is not None
    url = f"http://127.0.0.1:{play.running.internal_port}/api/status"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return (await answer.json())["accounts"][ACCOUNT]


def known(play: Stage) -> list[int]:
    return [int(record["id"]) for record in play.account(ACCOUNT).records("lead")]


async def test_a_snapshot_on_demand_publishes_every_record_again_and_is_told_until_it_is_done(play: Stage) -> None:
    def again() -> int:
        return sum(len(play.log.of(play.names.changes(each), lambda row: row.value["op"] == "r")) for each in ENTITIES)

    before = again()
    code, out, err = await cli(play, "snapshot", ACCOUNT)
    assert (code, len(out.splitlines())) == (0, len(ENTITIES)), err
    assert sorted(out.splitlines()) == sorted(
        f"snapshot.completed {entity}: records {EACH}, calls 1" for entity in ENTITIES
    )
    await play.log.caught_up()
    assert again() - before == EACH * len(ENTITIES)
    assert (await status(play))["entities"]["lead"]["snapshot"]["done"]
    assert (await cli(play, "progress"))[2] == "no snapshot is being taken\n"


async def test_when_the_wait_is_over_what_was_there_has_been_published(play: Stage) -> None:
    made = play.account(ACCOUNT).create("lead", {"name": "Just made"})["id"]
    code, out, err = await cli(play, "wait", ACCOUNT, "lead", "task")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["lead", "task"]
    await play.log.caught_up()
    assert len(play.log.of(play.names.event("lead", "created"), lambda each: each.value["after"]["id"] == made)) == 1


async def test_a_sweep_finds_a_delete_that_nobody_told(play: Stage) -> None:
    gone = known(play)[0]
    play.account(ACCOUNT).delete("lead", gone)
    code, out, err = await cli(play, "sweep", ACCOUNT, "--entity", "lead")
    assert code == 0, err
    assert out.startswith("sweep.completed lead: asked ")
    assert out.endswith("missing 1, deleted 1, kept 0\n")
    deleted = await play.event("lead", "deleted", gone, ACCOUNT)
    assert deleted.value["source"]["via"] == "sweep"


async def test_too_many_deletes_wait_until_they_are_approved_and_the_list_and_the_status_say_so(play: Stage) -> None:
    gone = known(play)[-3:]
    play.account(ACCOUNT).delete("lead", *gone)
    code, out, err = await cli(play, "sweep", ACCOUNT)
    assert (code, out) == (6, "")
    assert "deletes.held: reason too-many, missing 3" in err
    _, listed, _ = await cli(play, "deletes", "ls", "--json")
    held = json.loads(listed)
    assert (held["account"], held["reason"], held["missing"], held["approved"]) == (ACCOUNT, "too-many", 3, False)
    assert (await status(play))["deletes_held"]["missing"] == 3
    assert "deletes are held back" in (await cli(play, "sweep", ACCOUNT))[2]

    code, out, err = await cli(play, "deletes", "approve", ACCOUNT)
    assert (code, out) == (0, "deletes.resumed: decision approved, deleted 3, kept 0\n"), err
    for each in gone:
        await play.event("lead", "deleted", each, ACCOUNT)
    assert await cli(play, "deletes", "ls") == (0, "", "no deletes are held back\n")
    assert (await status(play))["deletes_held"] is None
    code, _, err = await cli(play, "deletes", "reject", ACCOUNT)
    assert (code, "no deletes of this account are held back" in err) == (6, True)
