"""Quiet updates end to end: told apart by a header, and no events where their class is dropped."""

from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage, stage

ACCOUNT = "acme"


def _furnish(copper: CopperDouble) -> None:
    long_ago = {"name": "Mara", "date_created": 1_700_000_000, "date_modified": 1_700_000_000}
    copper.account(ACCOUNT).load("person", [long_ago])


async def _met(play: Stage) -> int:
    """A person of long ago somebody takes a note about, which moves nothing but counters and dates."""
    (person,) = (record["id"] for record in play.account(ACCOUNT).records("person"))
    await play.log.wait(play.names.state("person"), lambda each: each.value["id"] == person)
    said: dict[str, Any] = {"type": {"category": "user", "id": 190711}, "parent": {"type": "person", "id": person}}
    reply = await play.ask(ACCOUNT, "activity", "create", data=said | {"details": "Hi"})
    assert reply.value["status"] == "succeeded", reply.value
    assert play.account(ACCOUNT).record("person", person)["interaction_count"] == 1  # type: ignore[index]
    return int(person)


def _states(play: Stage, person: int) -> list[Message]:
    return play.log.of(play.names.state("person"), lambda each: each.key == f"{ACCOUNT}/{person}".encode())


@pytest.mark.parametrize("dropped", [[], ["interaction"]])
async def test_an_interaction_is_an_update_of_its_own_class_or_none_at_all(
    bootstrap_servers: str, tmp_path: Path, dropped: list[str]
) -> None:
    events = {"poll_every": "1s", "drop": dropped}
    async with stage(
        bootstrap_servers,
        tmp_path,
        [ACCOUNT],
        before=_furnish,
        events=events,
    ) as play:
        person = await _met(play)
        await play.log.wait(play.names.state("person"), lambda each: each.value["interaction_count"] == 1)
        play.account(ACCOUNT).edit("person", person, {"title": "Buyer"})
        told = await play.log.wait(play.names.event("person", "updated"), lambda each: "title" in each.value["changed"])
        await play.log.caught_up()
        updates = play.log.of(play.names.event("person", "updated"))
        changes = play.log.of(play.names.changes("person"))
    classes = [] if dropped else ["interaction"]
    assert [each.text("ce_changeclass") for each in updates] == [*classes, "edit"]
    assert [each.value["source"].get("class") for each in changes] == [None, *classes, "edit"]
    assert told[0].value["before"]["interaction_count"] == 1
    assert [each.value["interaction_count"] for each in _states(play, person)] == [0, 1, 1]
