"""Snapshotting: everything once, page by page, beside the polls when an operator asks for it."""

import asyncio
from collections import deque
from itertools import pairwise
from typing import Any

import pytest

from bridge.contract.control import Asked
from bridge.policy.sightings import Lane, Page, Stamp, Trouble, Why
from bridge.shard.cursors import read_scan, read_snapshot
from bridge.shard.snapshotting import seconds_left
from tests.unit.shard.copper import CALL_SECONDS, instead
from tests.unit.shard.stage import ACCOUNT, NAMES, OVERLAP, Stage

BROKEN = Trouble(Why.IN_DOUBT, "no answer in time")


async def _filled(stage: Stage, count: int) -> None:
    """Records that are old, each of a second of its own."""
    for number in range(1, count + 1):
        stage.copper.keep("task", number, name=f"{number}")
        await asyncio.sleep(1)
    await asyncio.sleep(OVERLAP)


async def _followed(stage: Stage) -> None:
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: stage.scans)


def _told(stage: Stage, *kinds: str) -> list[dict[str, Any]]:
    return [told for told in stage.announced() if told["type"] in kinds]


async def test_a_first_snapshot_tells_how_far_it_has_come(stage: Stage) -> None:
    await _filled(stage, 900)
    await _followed(stage)
    started, *progress, completed = stage.announced()
    assert (started["type"], started["data"], started["control_id"]) == (
        "snapshot.started", {"records": 0, "expected": 900}, None
    )  # fmt: skip
    assert (completed["type"], completed["data"]["records"]) == ("snapshot.completed", 900)
    assert all(told["type"] == "snapshot.progress" for told in progress)
    assert [how_far.records for how_far in stage.taken][-1] == 900
    assert {how_far.expected for how_far in stage.taken} == {900}
    assert {call.lane for call in stage.copper.made("search")[:5]} == {Lane.SNAPSHOTS}


async def test_progress_is_told_now_and_then_with_the_time_that_is_left(stage: Stage) -> None:
    await _filled(stage, 1900)
    steady, began = stage.clock, stage.clock()
    stage.clock = lambda: began + 2 / CALL_SECONDS * (steady() - began)  # a page takes two seconds
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: stage.followed)
    left = [how_far.seconds_left for how_far in stage.taken]
    assert (left[0], left[1:]) == (None, sorted((each for each in left if each is not None), reverse=True))
    assert left[-1] == 0
    started, *progress, completed = stage.announced()
    at = [told["at_ms"] / 1000 for told in (started, *progress)]
    assert [round(later - earlier) for earlier, later in pairwise(at)] == [6] * len(progress)
    assert {told["type"] for told in progress} == {"snapshot.progress"}
    assert [told["data"]["expected"] for told in progress] == [1900] * len(progress)
    assert [0 < told["data"]["seconds_left"] < 20 for told in progress] == [True] * len(progress)
    assert completed["data"] == {"records": 1900, "calls": len(stage.taken), "incomplete": False}


async def test_a_snapshot_that_is_asked_for_shows_every_record_once_more_and_makes_no_change(stage: Stage) -> None:
    await _filled(stage, 450)
    await _followed(stage)
    before = len(stage.events("changes", "task"))
    stage.ask(Asked.SNAPSHOT, "task", name="mine")
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        await stage.until(lambda: [told for told in _told(stage, "snapshot.completed") if told["control_id"] == "mine"])
    rows = stage.events("changes", "task")[before:]
    assert ({row["op"] for row in rows}, {row["source"]["id"] for row in rows}) == ({"r"}, set(range(1, 451)))
    assert len(stage.log.of(NAMES.state("task"))) == 450 + len(rows)
    assert stage.events("created", "task") == []
    created = {call.lane for call in stage.copper.made("search") if call.about[1].stamp is Stamp.CREATED}
    assert created == {Lane.SNAPSHOTS}
    assert read_snapshot(stage.memory.known, ACCOUNT, "task") is None
    kinds = [told["type"] for told in stage.announced() if told["control_id"] == "mine"]
    assert (kinds[0], kinds[1], kinds[-1]) == ("control.accepted", "snapshot.started", "snapshot.completed")


async def test_records_that_its_pages_have_in_common_are_shown_once(stage: Stage) -> None:
    """One second of creation that takes several passes, as after an import."""
    for number in range(1, 501):
        stage.copper.keep("task", number, name=f"{number}")
    await asyncio.sleep(OVERLAP)
    await _followed(stage)
    before = len(stage.events("changes", "task"))
    stage.ask(Asked.SNAPSHOT, "task")
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        await stage.until(lambda: len(_told(stage, "snapshot.completed")) > 1)
    rows = [row["source"]["id"] for row in stage.events("changes", "task")[before:]]
    assert sorted(rows) == list(range(1, 501))


async def test_a_change_that_it_meets_is_that_change_and_a_deleted_record_stays_deleted(stage: Stage) -> None:
    await _filled(stage, 3)
    await _followed(stage)
    ghost = stage.copper.records.pop(("task", 3))
    stage.notify("deleted", 3, entity="task")
    async with stage.at_work(stage.noticing()):
        await stage.until(lambda: stage.events("deleted", "task"))
    stage.copper.records["task", 3] = ghost  # the index has not caught up
    await asyncio.sleep(60)
    stage.copper.keep("task", 2, name="escaped")
    before = len(stage.events("changes", "task"))
    stage.ask(Asked.SNAPSHOT, "task")
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task").one]):
        await stage.until(lambda: read_snapshot(stage.memory.known, ACCOUNT, "task"))
        await stage.until(lambda: read_snapshot(stage.memory.known, ACCOUNT, "task") is None)
    seen = {event["source"]["id"]: event["op"] for event in stage.events("changes", "task")[before:]}
    assert seen == {1: "r", 2: "u"}


async def test_polls_go_on_beside_it_and_their_cursor_is_their_own(stage: Stage) -> None:
    await _filled(stage, 1000)
    await _followed(stage)
    stage.copper.script["search"].clear()
    stage.ask(Asked.SNAPSHOT, "task")
    lower = read_scan(stage.memory.known, ACCOUNT, "task")
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task", every=1.0)]):
        await stage.until(lambda: read_snapshot(stage.memory.known, ACCOUNT, "task"))
        stage.copper.keep("task", 5, name="meanwhile")
        await stage.until(lambda: stage.events("updated", "task"))
        await stage.until(lambda: read_snapshot(stage.memory.known, ACCOUNT, "task") is None)
    after = read_scan(stage.memory.known, ACCOUNT, "task")
    assert lower is not None
    assert after is not None
    assert (after.followed_since, after.resume_at) == (lower.followed_since, None)
    assert after.lower > lower.lower


async def test_it_goes_on_after_a_restart_where_it_was(stage: Stage) -> None:
    await _filled(stage, 1000)
    await _followed(stage)
    stage.ask(Asked.SNAPSHOT, "task", name="mine")
    stage.copper.calls.clear()
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        await stage.until(lambda: (cursor := read_snapshot(stage.memory.known, ACCOUNT, "task")) and cursor.read >= 400)
    scans = len(stage.scans)
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: len(stage.scans) > scans)
        assert read_snapshot(stage.memory.known, ACCOUNT, "task"), "polls wait for the first snapshot only"
        await stage.until(lambda: read_snapshot(stage.memory.known, ACCOUNT, "task") is None)
    created = [ask for _, ask in stage.called("search") if ask.stamp is Stamp.CREATED]
    assert 5 <= len(created) <= 8
    rows = [event["source"]["id"] for event in stage.events("changes", "task")[1000:]]
    assert set(rows) == set(range(1, 1001))
    (completed,) = [told for told in _told(stage, "snapshot.completed") if told["control_id"] == "mine"]
    assert completed["data"]["records"] >= 1000
    assert len(created) - 1 <= completed["data"]["calls"] <= len(created)  # the one that was cut off counts for nothing
    again = [told["data"]["records"] for told in _told(stage, "snapshot.started") if told["control_id"] == "mine"]
    assert again[0] == 0
    assert again[1] >= 400


async def test_a_page_that_cannot_be_had_is_told_and_asked_for_again(stage: Stage) -> None:
    await _filled(stage, 300)
    stage.copper.script["search"].extend([lambda honest: honest(), instead(BROKEN), instead(BROKEN)])
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: stage.followed)
    assert stage.scans[:2] == [BROKEN, BROKEN]
    assert len(stage.events("changes", "task")) == 300


async def test_a_second_of_creation_that_cannot_be_shown_to_be_whole_is_said(stage: Stage) -> None:
    """Copper claims more than it shows, for ever: an import whose one second is larger than search can reach."""
    rows = tuple({"id": number, "name": "x", "date_created": 5, "date_modified": 5} for number in range(1, 201))

    def claims(honest: Any) -> Page:
        _, ask = stage.copper.calls[-1].about
        return Page(rows, 1000, int(stage.clock())) if (ask.at_least or 0) <= 5 else honest()

    stage.copper.script["search"].extend([claims] * 4000)
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: stage.followed)
    (completed,) = _told(stage, "snapshot.completed")
    assert (completed["data"]["incomplete"], completed["data"]["records"]) == (True, 200)
    assert stage.taken[-1].incomplete


@pytest.mark.parametrize("asked", [False, True], ids=["the first one", "one that is asked for"])
async def test_what_could_not_be_shown_to_be_whole_is_said_also_when_it_was_read_before_a_failure(
    stage: Stage, asked: bool
) -> None:
    await _filled(stage, 300)
    if asked:
        await _followed(stage)
        stage.ask(Asked.SNAPSHOT, "task")
    rows = tuple({"id": number, "name": "x", "date_created": 5, "date_modified": 5} for number in range(901, 1101))
    failed = False

    def claims(honest: Any) -> Page | Trouble:
        nonlocal failed
        _, ask = stage.copper.calls[-1].about
        if ask.stamp is Stamp.CREATED and (ask.at_least or 0) <= 5:
            return Page(rows, 1000, int(stage.clock()))
        page: Page = honest()
        if ask.stamp is Stamp.CREATED and len(page.records) < 200 and not failed:
            failed = True
            return BROKEN
        return page

    stage.copper.script["search"].extend([claims] * 4000)
    completed = 2 if asked else 1
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        await stage.until(lambda: len(_told(stage, "snapshot.completed")) == completed)
    assert BROKEN in stage.scans
    assert _told(stage, "snapshot.completed")[-1]["data"]["incomplete"] is True


@pytest.mark.parametrize(
    ("records", "pages", "left"),
    [(1000, [], None), (1000, [7.0], None), (1000, [0.0, 2.0, 4.0], 10), (1, [0.0, 3.0], 3), (0, [0.0, 3.0], 0)],
)
def test_the_time_left_is_told_by_the_pace_of_the_last_pages(
    records: int, pages: list[float], left: int | None
) -> None:
    assert seconds_left(records, deque(pages)) == left
