"""What was answered `unknown` and is seen after all."""

from typing import Any

import pytest

from bridge.contract.announcements import Told
from bridge.policy.settling import LATEST_SECONDS
from tests.unit.shard.copper import raising
from tests.unit.shard.stage import ACCOUNT, Stage

ASKED: dict[str, Any] = {"action": "create", "data": {"name": "Tideglass"}, "command_id": "c-1"}


@pytest.fixture
async def unknown(stage: Stage) -> Stage:
    """A stage where a create was answered `unknown`, whose record is not there yet."""
    stage.copper.keep("company", 7, name="Old")
    stage.copper.script["execute"].append(raising(RuntimeError("a fault of ours")))
    async with stage.at_work(stage.executing(), plain=[stage.polling()]):
        await stage.until(lambda: len(stage.scans) > 1)
        stage.send(**ASKED)
        await stage.until(stage.replied)
    assert stage.replied()[0].status == "unknown"
    return stage


async def _seen(stage: Stage, **record: Any) -> None:
    """A record turns up, and the polls see it."""
    stage.copper.keep("company", 900, **record)
    known = len(stage.events())
    async with stage.at_work(plain=[stage.polling()]):
        await stage.until(lambda: len(stage.events()) > known)


def _settled(stage: Stage) -> list[dict[str, Any]]:
    return [told for told in stage.announced() if told["type"] == Told.COMMAND_SETTLED]


def _entry(stage: Stage) -> dict[str, Any]:
    entry: dict[str, Any] = stage.memory.known.journal(f"{ACCOUNT}/c-1") or {}
    return entry


async def test_a_create_that_is_seen_later_is_told_of_and_no_second_reply_is_sent(unknown: Stage) -> None:
    await _seen(unknown, name="Tideglass")
    *_, event = unknown.events("created")
    entry = _entry(unknown)
    assert event["after"]["id"] == entry["settled"]["record_id"] == 900
    (told,) = _settled(unknown)
    assert told["data"] == {"command": "c-1", "record_id": 900, "event_id": entry["settled"]["event_id"]}
    assert [each.told for each in unknown.told] == [Told.COMMAND_SETTLED]
    assert len(unknown.replied()) == 1


async def test_a_command_is_settled_later_once(unknown: Stage) -> None:
    await _seen(unknown, name="Tideglass")
    unknown.copper.keep("company", 901, name="Tideglass")
    async with unknown.at_work(plain=[unknown.polling()]):
        await unknown.until(lambda: len(unknown.events("created")) == 2)
    assert len(_settled(unknown)) == 1


@pytest.mark.parametrize("record", [{"name": "Other"}, {"name": "Tideglass", "details": "of somebody else"}])
async def test_another_record_settles_nothing(unknown: Stage, record: dict[str, Any]) -> None:
    await _seen(unknown, **record)
    assert _settled(unknown) == []


async def test_a_record_that_comes_much_later_settles_nothing(unknown: Stage) -> None:
    began = unknown.clock()
    unknown.copper.keep("company", 900, name="Tideglass")
    late = int(began) + LATEST_SECONDS + 60
    unknown.copper.records["company", 900] |= {"date_created": late, "date_modified": late}
    async with unknown.at_work(plain=[unknown.polling()]):
        await unknown.until(lambda: unknown.events("created"))
    assert _settled(unknown) == []


async def test_the_same_id_again_gets_the_stored_answer_even_when_it_is_settled(unknown: Stage) -> None:
    await _seen(unknown, name="Tideglass")
    async with unknown.at_work(unknown.executing()):
        unknown.send(**ASKED)
        await unknown.until(lambda: len(unknown.replied()) == 2)
    assert [(reply.status, reply.value["duplicate"]) for reply in unknown.replied()] == [
        ("unknown", False),
        ("unknown", True),
    ]
