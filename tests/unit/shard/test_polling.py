"""Polling: the snapshot, the live scans, the deep pass, and what happens when Copper gives trouble."""

import asyncio
from itertools import pairwise
from typing import Any

import orjson
import pytest

from bridge.contract.control import Asked
from bridge.policy.pacing import JITTER
from bridge.policy.sightings import Ask, Lane, Page, Stamp, Trouble, Why
from bridge.shard.cursors import read_scan
from bridge.shard.polling import DEEP_SECONDS, LONGEST_PAUSE_SECONDS
from tests.unit.shard.copper import GONE, instead
from tests.unit.shard.stage import ACCOUNT, EPOCH, NAMES, OVERLAP, SHARD, Stage

KEY = f"scan/{ACCOUNT}/task"
RATE_LIMITED = Trouble(Why.RATE_LIMITED, "Too many requests", 429)


def _asks(stage: Stage, stamp: Stamp | None = None, entity: str = "task") -> list[Ask]:
    return [ask for kind, ask in stage.called("search") if kind == entity and stamp in {None, ask.stamp}]


def _names(stage: Stage, kind: str = "changes", entity: str = "task") -> list[tuple[str, str]]:
    return [(event["op"], (event["after"] or event["before"])["name"]) for event in stage.events(kind, entity)]


async def _polled(stage: Stage, scans: int, entity: str = "task", **how: Any) -> None:
    """Poll until so many scans have ended, counted over the life of the stage."""
    async with stage.at_work(plain=[stage.polling(entity, **how)]):
        await stage.until(lambda: len(stage.scans) >= scans)


def _page(stage: Stage, *records: dict[str, Any], total: int | None = None) -> Page:
    return Page(records, len(records) if total is None else total, int(stage.clock()))


async def test_what_there_is_comes_first_as_snapshot_rows_and_what_comes_then_as_created(stage: Stage) -> None:
    for number in range(1, 4):
        stage.copper.keep("task", number, name=f"old {number}")
    await asyncio.sleep(OVERLAP + 60)
    await _polled(stage, 1)
    assert stage.followed == ["task"]
    stage.copper.keep("task", 9, name="new")
    await _polled(stage, 3)
    assert _names(stage) == [("r", "old 1"), ("r", "old 2"), ("r", "old 3"), ("c", "new")]
    assert _names(stage, "created") == [("c", "new")]
    snapshot, live = _asks(stage, Stamp.CREATED), _asks(stage, Stamp.MODIFIED)
    assert (snapshot[0].at_least, len(live) >= 2) == (0, True)
    assert [call.lane for call in stage.copper.made("search")][:2] == [Lane.SNAPSHOTS, Lane.POLLS]


async def test_what_was_made_within_the_overlap_before_the_first_look_is_created(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="long ago")
    await asyncio.sleep(OVERLAP + 10)
    stage.copper.keep("task", 2, name="just now")
    await _polled(stage, 1)
    assert _names(stage) == [("r", "long ago"), ("c", "just now")]


async def test_a_backfill_publishes_what_there_is_as_created(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="old")
    await asyncio.sleep(10_000)
    await _polled(stage, 1, backfill=True)
    assert _names(stage, "created") == [("c", "old")]


async def test_a_snapshot_goes_on_at_the_page_where_it_stopped(stage: Stage) -> None:
    for number in range(1, 501):
        stage.copper.keep("task", number, name=f"{number}")
        stage.copper.records["task", number] |= {"date_created": EPOCH - 10_000 + number}
    stage.copper.script["search"].append(lambda honest: honest())
    stage.copper.script["search"].append(lambda honest: honest())
    stage.copper.script["search"].append(instead(RATE_LIMITED))
    await _polled(stage, 1)
    cursor = read_scan(stage.memory.known, ACCOUNT, "task")
    assert cursor is not None
    assert cursor.resume_at is not None
    began = len(_asks(stage))
    await _polled(stage, 2)
    assert _asks(stage)[began].at_least == cursor.resume_at - 1
    assert sorted(int(name) for _, name in _names(stage)) == list(range(1, 501))
    assert stage.scans == [RATE_LIMITED, None]
    told = [(each["type"], each["data"]["records"]) for each in stage.announced()]
    assert told[:2] == [("snapshot.started", 0), ("snapshot.started", cursor.read)]
    kind, records = told[-1]
    assert kind == "snapshot.completed"
    assert 500 <= records <= 502, "where it goes on, pages overlap by a second or two"
    asked = len(_asks(stage, Stamp.CREATED))
    assert stage.announced()[-1]["data"]["calls"] == asked - 1  # one could not be had
    finished = read_scan(stage.memory.known, ACCOUNT, "task")
    assert finished is not None
    assert (finished.resume_at, finished.followed_since) == (None, cursor.followed_since)


async def test_the_next_scan_begins_where_the_last_began_less_the_overlap(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    await _polled(stage, 4, every=60)
    at = [int(EPOCH + call.at - stage.copper.calls[0].at) for call in stage.copper.made("search")]
    lowers = [ask.at_least for ask in _asks(stage, Stamp.MODIFIED)]
    # Copper's minimum is asked one second lower until it has proved to be inclusive
    assert [lower + OVERLAP + 1 for lower in lowers if lower is not None] == at[:4]


async def test_a_cursor_that_is_set_back_while_a_scan_runs_is_where_the_next_one_begins(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="known")
    await _polled(stage, 2)
    stage.copper.keep("task", 2, name="lost")
    stage.copper.records["task", 2] |= {"date_created": EPOCH - 900, "date_modified": EPOCH - 900}
    before = len(_asks(stage))
    async with stage.at_work(stage.controlling("task"), plain=[stage.polling("task")]):
        await stage.until(lambda: len(_asks(stage)) > before)
        stage.ask(Asked.SET_CURSOR, "task", to="2026-09-21T13:56:40Z")
        await stage.until(lambda: len(stage.scans) >= 5)
    (set_back,) = [each for each in stage.announced() if each["type"] == "control.accepted"]
    assert (set_back["data"]["to"], set_back["data"]["records"]) == ("2026-09-21T13:56:40Z", 1)
    bounds = [ask.at_least for ask in _asks(stage, Stamp.MODIFIED)]
    assert bounds.count(EPOCH - 1000 - 1) == 1, "one second lower until Copper's minimum has proved to be inclusive"
    assert _names(stage) == [("c", "known"), ("r", "lost")]
    marks = [orjson.loads(record.value or b"null")["complete_to"] for record in stage.log.of(NAMES.watermarks)]
    assert (len(marks), marks) == (len(stage.scans) - 1, sorted(marks))


async def test_people_and_companies_are_read_downwards_without_a_bound(stage: Stage) -> None:
    stage.copper.keep("company", 1, name="one")
    await _polled(stage, 2, "company")
    *_, last = _asks(stage, entity="company")
    assert (last.descending, last.at_least, last.stamp) == (True, None, Stamp.MODIFIED)


async def test_an_update_is_one_event_with_the_record_before_and_after(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    await _polled(stage, 1)
    stage.copper.keep("task", 1, name="two")
    await _polled(stage, 6)
    (event,) = stage.events("updated", "task")
    assert (event["before"]["name"], event["after"]["name"], event["changed"]) == ("one", "two", ["name"])
    assert event["source"]["via"] == "poll"


async def test_events_and_the_cursor_that_covers_them_are_one_transaction(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    await _polled(stage, 1)
    stage.copper.keep("task", 2, name="two")
    await _polled(stage, 3)
    for transaction in stage.log.transactions:
        written = {record.position.topic for record in transaction}
        assert NAMES.cursors in written
    groups = [{record.position.topic for record in transaction} for transaction in stage.log.transactions]
    assert sum({NAMES.event("task", "created"), NAMES.cursors} <= topics for topics in groups) == 2


async def test_the_deep_pass_finds_what_search_showed_too_late_and_moves_no_cursor(stage: Stage) -> None:
    late = stage.copper.keep("task", 7, name="late")
    del stage.copper.records["task", 7]
    await _polled(stage, 1)
    async with stage.at_work(plain=[stage.polling("task", deep_every=900)]):
        await asyncio.sleep(OVERLAP + 200)
        stage.copper.records["task", 7] = late
        await asyncio.sleep(400)
        assert stage.events("changes", "task") == []
        await stage.until(lambda: stage.events("changes", "task"))
        before = stage.cursor(KEY)
        await asyncio.sleep(0)
        assert stage.cursor(KEY) == before
    assert stage.events("changes", "task")[0]["source"]["via"] == "deep"
    deep = [
        ask for ask, call in zip(_asks(stage), stage.copper.made("search"), strict=True) if call.lane is Lane.CHECKS
    ]
    assert (deep[-1].at_least or 0) < EPOCH + 900 - DEEP_SECONDS + OVERLAP


# -------------------------------------------------------------------------------------------------------- doubt


async def test_two_versions_of_one_second_are_told_apart_by_reading_the_record(stage: Stage) -> None:
    one = dict(stage.copper.keep("task", 1, name="one"))
    await _polled(stage, 1)
    two = {**one, "name": "two"}
    stage.copper.records["task", 1] = two
    await _polled(stage, 2)
    assert stage.called("get") == [("task", 1)]
    assert _names(stage, "updated") == [("u", "two")]
    assert stage.copper.made("get")[0].lane is Lane.POLLS


async def test_no_cursor_passes_a_record_in_doubt(stage: Stage) -> None:
    one = dict(stage.copper.keep("task", 1, name="one"))
    await _polled(stage, 1)
    before = stage.cursor(KEY)
    await asyncio.sleep(60)
    stage.copper.records["task", 1] = {**one, "name": "two"}
    stage.copper.script["get"].append(instead(RATE_LIMITED))
    await _polled(stage, 2)
    assert (stage.scans[-1], stage.cursor(KEY), _names(stage, "updated")) == (RATE_LIMITED, before, [])
    await _polled(stage, 3)
    assert stage.cursor(KEY)["lower"] > before["lower"]
    assert _names(stage, "updated") == [("u", "two")]


async def test_a_record_in_doubt_that_is_gone_holds_nothing_up(stage: Stage) -> None:
    one = dict(stage.copper.keep("task", 1, name="one"))
    await _polled(stage, 1)
    stage.copper.records["task", 1] = {**one, "name": "two"}
    stage.copper.script["get"].append(instead(GONE))
    await _polled(stage, 2)
    assert (stage.scans[-1], _names(stage, "updated"), stage.events("deleted", "task")) == (None, [], [])


async def test_a_record_is_read_again_when_another_flow_has_learned_of_it_meanwhile(stage: Stage) -> None:
    one = dict(stage.copper.keep("task", 1, name="one"))
    await _polled(stage, 1)
    stage.copper.records["task", 1] = {**one, "name": "two"}

    def overtaken(honest: Any) -> Any:
        """What we hear was true when it was asked; before we hear it, somebody else has learned what is true now."""
        heard = honest()
        stage.copper.records["task", 1] = {**one, "name": "three"}
        stage.notify("updated", 1, entity="task")
        return heard

    stage.copper.script["get"].append(overtaken)
    noticing = stage.noticing()
    polling = stage.polling("task")
    async with stage.at_work(noticing, plain=[polling]):
        await stage.until(lambda: len(stage.scans) >= 3)
    assert _names(stage, "updated")[-1] == ("u", "three")
    assert len({orjson.dumps(event["after"]) for event in stage.events("updated", "task")}) == len(
        stage.events("updated", "task")
    )


async def test_a_stale_hit_of_the_index_is_no_event(stage: Stage) -> None:
    old = dict(stage.copper.keep("task", 1, name="old"))
    await asyncio.sleep(10)
    stage.copper.keep("task", 1, name="new")
    await _polled(stage, 1)
    stage.copper.script["search"].append(instead(_page(stage, old)))
    await _polled(stage, 2)
    assert _names(stage) == [("c", "new")]
    assert "stale" in [str(verdict) for _, _, verdict in stage.verdicts]


# ------------------------------------------------------------------------------------------------------- trouble


async def test_trouble_is_told_and_asked_again_after_longer_and_longer_pauses(stage: Stage) -> None:
    stage.copper.script["search"].extend([instead(RATE_LIMITED)] * 9)
    await _polled(stage, 10)
    assert stage.scans == [RATE_LIMITED] * 9 + [None]
    at = [call.at for call in stage.copper.made("search")]
    pauses = [round(later - earlier) for earlier, later in pairwise(at[:10])]
    assert pauses == [2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, 60, 60]
    assert stage.cursor(KEY) is not None


async def test_an_answer_that_makes_no_sense_is_trouble_of_that_scan_alone(stage: Stage) -> None:
    """Rows below the bound that was asked for."""
    stage.copper.keep("task", 1, name="one")
    await _polled(stage, 1)
    row = {"id": 9, "name": "odd", "date_created": 5, "date_modified": 5}
    stage.copper.script["search"].append(instead(_page(stage, row, total=1000)))
    await _polled(stage, 3)
    assert [trouble and trouble.why for trouble in stage.scans] == [None, Why.UNREADABLE, None]


async def test_a_page_that_could_not_be_had_leaves_the_live_cursor_where_it_was(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    await _polled(stage, 1)
    before = stage.cursor(KEY)
    stage.copper.script["search"].append(instead(RATE_LIMITED))
    await _polled(stage, 2)
    assert stage.cursor(KEY) == before


async def test_a_snapshot_not_shown_to_be_whole_is_read_a_second_time_and_then_it_is_done(stage: Stage) -> None:
    """More records in one second than a page holds, and a total that is never reached."""
    stage.copper.keep("task", 1, name="one")
    crowd = tuple(
        {"id": number, "name": f"{number}", "date_created": EPOCH - 5000, "date_modified": EPOCH - 5000}
        for number in range(1, 201)
    )

    def crowded(_honest: Any) -> Page:
        _, ask = stage.called("search")[-1]
        rows = crowd if ask.at_least <= EPOCH - 5000 and ask.page == 1 else ()
        return Page(rows[: ask.size], 9999 if rows else 0, int(stage.clock()))

    stage.copper.script["search"].extend([crowded] * 5000)
    await _polled(stage, 2)
    firsts = [ask for ask in _asks(stage, Stamp.CREATED) if ask.at_least == 0 and ask.size == 200]
    cursor = read_scan(stage.memory.known, ACCOUNT, "task")
    assert cursor is not None
    assert (cursor.resume_at, len(firsts)) == (None, 2)
    written = [orjson.loads(each.value or b"") for each in stage.log.of(NAMES.cursors) if each.key == KEY.encode()]
    lowers = [each["lower"] for each in written if each["resume_at"] is not None]
    assert set(lowers) == {lowers[0]}, "polls begin where the first reading began"
    assert stage.log.of(NAMES.state("task"))[0].position.partition == SHARD


async def test_a_scan_says_whether_it_found_something_new_and_the_next_one_comes_when_the_pace_says(
    stage: Stage,
) -> None:
    told: list[bool] = []

    def pace(found: bool) -> float:
        told.append(found)
        return 5.0 if found else 40.0

    async with stage.at_work(plain=[stage.polling("task", every=20.0, pace=pace)]):
        await stage.until(lambda: len(stage.scans) >= 1)
        stage.copper.keep("task", 1, name="new")
        await stage.until(lambda: len(stage.scans) >= 4)
    assert told == [False, True, False, False]
    assert [scanned.every for scanned in stage.scanned] == [40.0, 5.0, 40.0, 40.0]
    at = [call.at for call in stage.copper.made("search") if call.lane is Lane.POLLS]
    assert [later - earlier for earlier, later in pairwise(at)] == pytest.approx([40.0, 5.0, 40.0])


async def test_a_scan_that_failed_says_nothing_about_the_pace(stage: Stage) -> None:
    told: list[bool] = []

    def pace(found: bool) -> float:
        told.append(found)
        return 50.0

    stage.copper.script["search"].extend([lambda honest: honest(), lambda honest: honest(), instead(RATE_LIMITED)])
    await _polled(stage, 3, pace=pace)
    assert [scanned.every for scanned in stage.scanned] == [50.0, 50.0, 50.0]
    assert told == [False, False]


async def test_an_interval_is_shortened_by_chance_so_that_nobody_keeps_step(stage: Stage) -> None:
    deep, *intervals = 0.0, 0.0, 0.5, 0.25, 0.0
    chances = iter([deep, *intervals])
    await _polled(stage, 4, every=100.0, chance=lambda: next(chances))
    at = [call.at for call in stage.copper.made("search") if call.lane is Lane.POLLS]
    waited = [later - earlier for earlier, later in pairwise(at)]
    assert waited == pytest.approx([100.0, 100.0 - 50.0 * JITTER, 100.0 - 25.0 * JITTER])


@pytest.mark.parametrize("every", [5.0, 60.0])
async def test_scans_begin_at_equal_intervals_however_long_they_take(stage: Stage, every: float) -> None:
    for number in range(1, 4):
        stage.copper.keep("task", number, name=f"{number}")
    await _polled(stage, 5, every=every)
    _snapshot, *at = [call.at for call in stage.copper.made("search")]
    assert [round(later - earlier, 6) for earlier, later in pairwise(at)] == [every] * 4


# ------------------------------------------------------------------------------------------------------ watermarks


def _marks(stage: Stage, entity: str = "task") -> list[dict[str, Any]]:
    key = f"{ACCOUNT}/{entity}".encode()
    return [orjson.loads(record.value or b"") for record in stage.log.of(NAMES.watermarks) if record.key == key]


async def test_a_watermark_says_up_to_when_everything_has_been_published(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    await asyncio.sleep(600)
    await _polled(stage, 1)
    await asyncio.sleep(600)
    stage.copper.keep("task", 2, name="two")
    await _polled(stage, 3)
    first, second, third = _marks(stage)
    assert second["complete_to"] == second["searched_at"] - OVERLAP - 1
    assert (second["seen"], second["claimed"], second["events"]) == (1, 1, {"poll": 1})
    assert third["events"] == {}
    assert first["complete_to"] < second["complete_to"] < third["complete_to"]


async def test_a_watermark_claims_what_copper_claimed_of_the_whole_scan(stage: Stage) -> None:
    await _polled(stage, 1)
    for number in range(1, 301):
        stage.copper.keep("task", number, name=f"{number}")
        stage.copper.records["task", number] |= {"date_modified": int(stage.clock()) - 60 + number // 10}
    await _polled(stage, 2)
    assert [(mark["claimed"], mark["seen"]) for mark in _marks(stage)] == [(0, 0), (300, 300)]


async def test_a_watermark_claims_nothing_of_a_search_that_cannot_be_bounded(stage: Stage) -> None:
    stage.copper.keep("company", 1, name="one")
    await _polled(stage, 1, "company")
    (mark,) = _marks(stage, "company")
    assert (mark["claimed"], mark["seen"]) == (None, 1)


async def test_there_is_no_watermark_before_the_first_snapshot_is_done(stage: Stage) -> None:
    stage.copper.script["search"].extend([instead(RATE_LIMITED)] * 3)
    async with stage.at_work(plain=[stage.polling("task")]):
        await stage.until(lambda: len(stage.scans) == 3)
        assert _marks(stage) == []
        await stage.until(lambda: _marks(stage))


async def test_a_scan_that_failed_moves_no_watermark(stage: Stage) -> None:
    await _polled(stage, 1)
    stage.copper.script["search"].extend([instead(RATE_LIMITED)] * 2)
    await _polled(stage, 3)
    assert len(_marks(stage)) == 1


async def test_a_watermark_names_the_last_deep_pass(stage: Stage) -> None:
    async with stage.at_work(plain=[stage.polling("task", deep_every=60)]):
        await stage.until(lambda: _marks(stage) and _marks(stage)[-1]["deep_at"])
    assert EPOCH < _marks(stage)[-1]["deep_at"] <= _marks(stage)[-1]["searched_at"] + 1


async def test_a_watermark_names_the_last_sweep(stage: Stage) -> None:
    stage.copper.keep("task", 1, name="one")
    async with stage.at_work(plain=[stage.sweeping("task"), stage.polling("task")]):
        await stage.until(lambda: _marks(stage) and _marks(stage)[-1]["swept_at"])
    assert EPOCH <= _marks(stage)[-1]["swept_at"] <= _marks(stage)[-1]["searched_at"] + 1


async def test_what_the_deep_pass_caught_is_told_with_how_late_it_was(stage: Stage) -> None:
    late = stage.copper.keep("task", 7, name="late")
    del stage.copper.records["task", 7]
    await _polled(stage, 1)
    async with stage.at_work(plain=[stage.polling("task", deep_every=900)]):
        await asyncio.sleep(OVERLAP + 200)
        stage.copper.records["task", 7] = late
        await stage.until(lambda: any(each.late for each in stage.scanned))
    (caught,) = [each for each in stage.scanned if each.late]
    (age,) = caught.late
    assert 900 <= age < 1000


async def test_what_a_deep_pass_caught_before_it_failed_is_told_all_the_same(stage: Stage) -> None:
    """It is known from then on: no later pass would count it."""
    late = stage.copper.keep("task", 7, name="late")
    del stage.copper.records["task", 7]
    await _polled(stage, 1)
    async with stage.at_work(plain=[stage.polling("task", deep_every=900)]):
        await asyncio.sleep(OVERLAP + 200)
        stage.copper.records["task", 7] = late

        def more(honest: Any) -> Page | Trouble:
            call = stage.copper.calls[-1]
            if call.lane is not Lane.CHECKS:
                page: Page = honest()
                return page
            if stage.events("changes", "task"):
                return RATE_LIMITED
            return _page(stage, late, total=1000)

        stage.copper.script["search"].extend([more] * 1000)
        await stage.until(lambda: RATE_LIMITED in stage.scans)
    (caught,) = [each for each in stage.scanned if each.late]
    assert (caught.trouble, len(caught.late)) == (RATE_LIMITED, 1)


async def test_what_a_deep_pass_sees_before_the_next_scan_would_have_is_not_late(stage: Stage) -> None:
    """An edit between the two, or one that search still held back within what the overlap allows."""
    edited = stage.copper.keep("task", 7, name="fresh")
    del stage.copper.records["task", 7]
    await _polled(stage, 1)

    def shown(_honest: Any) -> Page:
        stage.copper.records["task", 7] = edited
        return _page(stage)

    stage.copper.script["search"].append(shown)
    async with stage.at_work(plain=[stage.polling("task", deep_every=0)]):
        await stage.until(lambda: _names(stage))
        await stage.until(lambda: len(stage.scanned) > 2)
    assert [event["source"]["via"] for event in stage.events("changes", "task")] == ["deep"]
    assert [each.late for each in stage.scanned if each.late] == []


# ------------------------------------------------------------------------------------- more than search reaches


async def test_what_lies_deeper_than_search_reaches_is_read_by_a_snapshot_before_anything_is_said_to_be_complete(
    stage: Stage,
) -> None:
    """While the bridge was away so many companies were edited that the scan downwards cannot come to all of them."""
    count, reach = 700, 400
    for number in range(1, count + 1):
        stage.copper.keep("company", number, name=f"{number}")
        stage.copper.records["company", number] |= {"date_created": EPOCH - 10_000 + number}
    await asyncio.sleep(10 * OVERLAP)
    await _polled(stage, 1, "company", reach=reach)
    for number in range(1, count + 1):
        stage.copper.keep("company", number, name=f"{number} again")
    edited = int(stage.clock())
    await asyncio.sleep(10 * OVERLAP)
    marks, told, called = len(_marks(stage, "company")), len(stage.announced()), len(stage.copper.calls)
    async with stage.at_work(plain=[stage.polling("company", reach=reach, deep_every=0)]):
        await stage.until(lambda: len(stage.events("updated", "company")) == count)
        assert len(_marks(stage, "company")) == marks
        await stage.until(lambda: len(_marks(stage, "company")) > marks)
    mark = _marks(stage, "company")[marks]
    assert mark["complete_to"] > edited
    assert (mark["events"].keys(), sum(mark["events"].values())) == ({"poll", "snapshot"}, count)
    updated = [event["source"]["id"] for event in stage.events("updated", "company")]
    assert (sorted(updated), stage.events("created", "company")) == ([*range(1, count + 1)], [])
    (started, *_, completed) = [each for each in stage.announced()[told:] if each["type"].startswith("snapshot.")]
    assert (started["data"]["records"], completed["data"]["records"]) == (0, count)
    calls = stage.copper.calls[called:]
    snapshot = [number for number, call in enumerate(calls) if call.lane is Lane.SNAPSHOTS]
    assert Lane.CHECKS not in {call.lane for call in calls[: snapshot[-1]]}
