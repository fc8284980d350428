"""Noticing: notices are hints, and what Copper says of their records is what is published."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from bridge.contract.cursors import position_key
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.shard import noticing as flow
from tests.unit.shard.copper import CALL_SECONDS, GONE, instead, raising
from tests.unit.shard.stage import NAMES, WAITS, Stage

RATE_LIMITED = Trouble(Why.RATE_LIMITED, "Too many requests", 429)
KEY = position_key(NAMES.inbox)


async def _known(stage: Stage, *ids: int, entity: str = "company") -> None:
    """Let the shard learn of records that are there."""
    for record_id in ids:
        stage.copper.keep(entity, record_id, name=f"{record_id}")
    async with stage.at_work(plain=[stage.polling(entity)]):
        await stage.until(lambda: stage.scans)
    stage.copper.calls.clear()


async def _noticed(stage: Stage, finished: int) -> None:
    """At work until so many notices are done with."""
    async with stage.at_work(stage.noticing()):
        await stage.until(lambda: (stage.cursor(KEY) or {"next": 0})["next"] >= finished)


async def test_a_delete_is_published_once_with_the_record_as_last_seen(stage: Stage) -> None:
    await _known(stage, 7)
    del stage.copper.records["company", 7]
    for _ in range(3):
        stage.notify("deleted", 7)
    announced = stage.clock()
    await asyncio.sleep(30)
    await _noticed(stage, 3)
    (event,) = stage.events("deleted")
    assert (event["op"], event["before"]["name"], event["after"]) == ("d", "7", None)
    assert event["source"]["ts_ms"] == round(announced * 1000)
    assert stage.log.of(NAMES.state("company"))[-1].value is None
    assert stage.copper.made("get")[0].lane is Lane.CHECKS


async def test_a_delete_that_is_announced_of_a_record_never_seen_says_so(stage: Stage) -> None:
    stage.notify("deleted", 7)
    await _noticed(stage, 1)
    (event,) = stage.events("deleted")
    assert (event["before"], event["source"]["seen"]) == ({"id": 7}, False)


async def test_a_forged_delete_deletes_nothing(stage: Stage) -> None:
    await _known(stage, 7)
    stage.notify("deleted", 7)
    await _noticed(stage, 1)
    assert stage.events("deleted") == []
    assert stage.called("get") == [("company", 7)]


async def test_a_made_up_update_of_a_record_that_never_was_is_no_event(stage: Stage) -> None:
    stage.notify("updated", 7)
    stage.notify("created", 8)
    await _noticed(stage, 2)
    assert stage.events() == []


async def test_an_update_or_create_that_is_announced_is_read_early(stage: Stage) -> None:
    await _known(stage, 7)
    await asyncio.sleep(60)
    stage.copper.keep("company", 7, name="New")
    stage.copper.keep("company", 8, name="Fresh")
    stage.notify("updated", 7)
    stage.notify("created", 8)
    stage.notify("updated", 7)
    await _noticed(stage, 3)
    assert [event["after"]["name"] for event in stage.events("updated")] == ["New"]
    assert [event["after"]["name"] for event in stage.events("created")] == ["7", "Fresh"]
    assert [event["source"]["via"] for event in stage.events("upserted")] == ["snapshot", "webhook", "webhook"]


async def test_a_notice_of_an_update_finds_that_the_record_was_deleted_since(stage: Stage) -> None:
    await _known(stage, 7)
    del stage.copper.records["company", 7]
    stage.notify("updated", 7)
    await _noticed(stage, 1)
    assert [event["before"]["name"] for event in stage.events("deleted")] == ["7"]


async def test_a_deleted_record_is_not_revived_by_the_index(stage: Stage) -> None:
    await _known(stage, 7)
    ghost = stage.copper.records.pop(("company", 7))
    stage.notify("deleted", 7)
    await _noticed(stage, 1)
    stage.copper.records["company", 7] = ghost
    stage.notify("updated", 7)
    async with stage.at_work(stage.noticing(), plain=[stage.polling()]):
        await asyncio.sleep(120)
    assert [event["op"] for event in stage.events()] == ["c", "d"]


async def test_trouble_is_asked_again_after_longer_and_longer_pauses_until_there_is_an_answer(stage: Stage) -> None:
    await _known(stage, 7)
    del stage.copper.records["company", 7]
    stage.copper.script["get"].extend([instead(RATE_LIMITED)] * 7)
    stage.notify("deleted", 7)
    await _noticed(stage, 1)
    at = [call.at for call in stage.copper.made("get")]
    pauses = [later - earlier - CALL_SECONDS for earlier, later in pairwise(at)]
    assert pauses == pytest.approx([2, 4, 8, 16, 32, 60, 60])
    assert len(stage.events("deleted")) == 1


@pytest.mark.parametrize("why", [Why.FORBIDDEN, Why.FEATURE_DISABLED, Why.INVALID])
async def test_what_copper_will_never_answer_is_skipped(stage: Stage, why: Why) -> None:
    await _known(stage, 7)
    stage.copper.script["get"].append(instead(Trouble(why, "no")))
    stage.notify("deleted", 7)
    await _noticed(stage, 1)
    assert (len(stage.called("get")), stage.events("deleted")) == (1, [])


@pytest.mark.parametrize(
    "value",
    [
        b"{", b"", b"[]", b'{"account": "acme"}',
        b'{"account": "nobody", "entity": "company", "event": "deleted", "ids": [7], "happened_ms": 1}',
        b'{"account": "acme", "entity": "activity", "event": "deleted", "ids": [7], "happened_ms": 1}',
        b'{"account": "acme", "entity": "company", "event": "deleted", "ids": [], "happened_ms": 1}',
        b'{"account": "acme", "entity": "company", "event": "deleted", "ids": [-7], "happened_ms": 1}',
        b'{"account": "acme", "entity": "company", "event": "deleted", "ids": [1e300], "happened_ms": 1}',
        b'{"account": "acme", "entity": "company", "event": "deleted", "ids": [7], "happened_ms": 1e999}',
    ],
)  # fmt: skip
async def test_what_is_no_notice_for_us_is_passed_over_without_a_call(stage: Stage, value: bytes) -> None:
    stage.put(NAMES.inbox, value)
    await _noticed(stage, 1)
    assert (stage.copper.calls, stage.events()) == ([], [])


async def test_a_notice_is_done_with_only_when_all_its_ids_are_and_in_one_transaction(stage: Stage) -> None:
    await _known(stage, 1, 2, 3)
    began = len(stage.log.transactions)
    for number in (1, 2):
        del stage.copper.records["company", number]
    stage.copper.script["get"].extend([instead(GONE), instead(RATE_LIMITED)])
    stage.notify("deleted", 1, 2, 3)
    await _noticed(stage, 1)
    (transaction,) = stage.log.transactions[began:]
    deleted = [record.key for record in transaction if record.position.topic == NAMES.event("company", "deleted")]
    assert deleted == [b"acme/1", b"acme/2"]
    assert transaction[-1].position.topic == NAMES.cursors


async def test_an_answer_that_was_overtaken_is_asked_for_again(stage: Stage) -> None:
    """Two versions of one second: the answer is older than what has been learned since it was asked for."""
    await _known(stage, 7)
    one = dict(stage.copper.records["company", 7])

    def overtaken(_honest: Any) -> Any:
        stage.copper.records["company", 7] = {**one, "name": "three"}
        stage.notify("updated", 7)
        return {**one, "name": "two"}

    stage.copper.script["get"].append(overtaken)
    stage.copper.script["get"].append(lambda honest: honest())
    stage.notify("updated", 7)
    await _noticed(stage, 2)
    assert stage.events("updated")[-1]["after"]["name"] == "three"


# ------------------------------------------------------------------------------------------- positions and backpressure


async def test_notices_are_looked_up_side_by_side_and_positions_stay_exact(stage: Stage) -> None:
    stage.copper.script["get"].extend([instead(RATE_LIMITED)])
    for number in range(8):
        stage.notify("deleted", number + 1)
    began = asyncio.get_running_loop().time()
    async with stage.at_work(stage.noticing()):
        await stage.until(lambda: len((stage.cursor(KEY) or {"finished": []})["finished"]) == 7)
        assert stage.cursor(KEY)["next"] == 0
        assert asyncio.get_running_loop().time() - began < 2 * CALL_SECONDS
        await stage.until(lambda: stage.cursor(KEY)["next"] == 8)
    assert stage.cursor(KEY)["finished"] == []


async def test_what_was_finished_before_a_restart_is_not_looked_up_again(stage: Stage) -> None:
    stage.copper.script["get"].extend([instead(RATE_LIMITED)])
    for number in range(3):
        stage.notify("deleted", number + 1)
    async with stage.at_work(stage.noticing()):
        await stage.until(lambda: len((stage.cursor(KEY) or {"finished": []})["finished"]) == 2)
    stage.copper.calls.clear()
    await _noticed(stage, 3)
    assert stage.called("get") == [("company", 1)]
    assert sorted(event["source"]["id"] for event in stage.events("deleted")) == [1, 2, 3]


async def test_a_stop_does_not_wait_for_lookups_and_they_are_made_next_time(stage: Stage) -> None:
    stage.copper.script["get"].extend([instead(RATE_LIMITED)] * 5)
    stage.notify("deleted", 7)
    async with stage.at_work(stage.noticing()) as stop:
        await stage.until(lambda: stage.called("get"))
        began = asyncio.get_running_loop().time()
        stop.set()
    assert asyncio.get_running_loop().time() - began < 0.1
    await _noticed(stage, 1)
    assert len(stage.events("deleted")) == 1


async def test_backpressure_pauses_the_inbox_and_nothing_is_lost(stage: Stage) -> None:
    many = flow.HOLD_ABOVE + 100
    for _ in range(many):
        stage.put(NAMES.inbox, b"{")
    async with stage.at_work(stage.noticing()):
        stage.notify("deleted", 7)
        await stage.until(lambda: stage.events("deleted"))
        await stage.until(lambda: stage.cursor(KEY)["next"] == many + 1)
    assert stage.intake.told == [("hold", NAMES.inbox), ("release", NAMES.inbox)]


# -------------------------------------------------------------------------------------- what became of the records


async def test_a_lead_that_was_converted_says_what_it_became(stage: Stage) -> None:
    await _known(stage, 7, entity="lead")
    lead = stage.copper.records.pop(("lead", 7))
    stage.copper.indexed_leads[7] = {
        **lead, "converted_at": 1, "converted_contact_id": 70, "converted_opportunity_id": 71
    }  # fmt: skip
    stage.notify("updated", 7, entity="lead")
    await _noticed(stage, 1)
    (event,) = stage.events("deleted", "lead")
    assert event["source"]["converted"] == {"person": 70, "opportunity": 71}


async def test_a_conversion_is_told_only_when_the_index_can_tell_and_holds_nobody_else_up(stage: Stage) -> None:
    await _known(stage, 7, entity="lead")
    await _known(stage, 8)
    lead = stage.copper.records.pop(("lead", 7))
    del stage.copper.records["company", 8]
    stage.copper.indexed_leads[7] = lead  # as it was: the index lags
    async with stage.at_work(stage.noticing()):
        for _ in range(flow.AT_ONCE):
            stage.notify("deleted", 7, entity="lead")
        stage.notify("deleted", 8)
        await stage.until(lambda: stage.events("deleted"))
        assert stage.events("deleted", "lead") == []
        await asyncio.sleep(30)
        assert stage.events("deleted", "lead") == []
        stage.copper.indexed_leads[7] = {**lead, "converted_at": 1, "converted_contact_id": 70}
        await stage.until(lambda: stage.events("deleted", "lead"))
        await stage.until(lambda: stage.cursor(KEY)["next"] == flow.AT_ONCE + 1)
    (event,) = stage.events("deleted", "lead")
    assert event["source"]["converted"] == {"person": 70}


async def test_a_lead_whose_ghost_stays_in_the_index_is_deleted_when_the_index_lag_is_over(stage: Stage) -> None:
    await _known(stage, 7, entity="lead")
    stage.copper.indexed_leads[7] = stage.copper.records.pop(("lead", 7))
    stage.notify("deleted", 7, entity="lead")
    began = asyncio.get_running_loop().time()
    await _noticed(stage, 1)
    assert WAITS.index_lag <= asyncio.get_running_loop().time() - began < WAITS.index_lag + 20
    (event,) = stage.events("deleted", "lead")
    assert "converted" not in event["source"]


async def test_the_loser_of_a_merge_is_suspected_when_the_winner_has_been_seen(stage: Stage) -> None:
    stage.copper.keep("company", 7, phone_numbers=[{"number": "1", "category": "work"}])
    await _known(stage, 8)
    stage.copper.keep("company", 8, phone_numbers=[{"number": "1", "category": "work"}])
    del stage.copper.records["company", 7]
    stage.notify("updated", 8)
    stage.notify("deleted", 7)
    await _noticed(stage, 2)
    (event,) = stage.events("deleted")
    assert event["source"]["merged"] == {"company": 8}


# -------------------------------------------------------------------------------------------- floods and our errors


async def test_a_thousand_repetitions_cost_a_handful_of_calls_and_make_no_event(stage: Stage) -> None:
    await _known(stage, 7)
    for _ in range(1000):
        stage.notify("deleted", 7)
    await _noticed(stage, 1000)
    assert stage.events("deleted") == []
    assert len(stage.called("get")) <= flow.AT_ONCE


async def test_a_notice_that_came_after_a_look_is_looked_up_again(stage: Stage) -> None:
    await _known(stage, 7)
    async with stage.at_work(stage.noticing()):
        stage.notify("deleted", 7)
        await stage.until(lambda: (stage.cursor(KEY) or {"next": 0})["next"] == 1)
        del stage.copper.records["company", 7]
        stage.notify("deleted", 7)
        await stage.until(lambda: stage.events("deleted"))
    assert len(stage.called("get")) == 2


async def test_a_record_never_seen_is_told_as_deleted_although_an_update_of_it_was_looked_up(stage: Stage) -> None:
    for _ in range(flow.AT_ONCE):
        stage.notify("updated", 7)
    stage.notify("deleted", 7)
    await _noticed(stage, flow.AT_ONCE + 1)
    assert [event["before"] for event in stage.events("deleted")] == [{"id": 7}]


async def test_an_error_of_our_own_over_a_notice_costs_that_notice_alone(stage: Stage) -> None:
    await _known(stage, 7)
    del stage.copper.records["company", 7]
    stage.copper.script["get"].append(raising(RuntimeError("ours")))
    stage.notify("updated", 7)
    stage.notify("deleted", 7)
    await _noticed(stage, 2)
    assert [type(problem) for problem in stage.unexpected] == [RuntimeError]
    assert len(stage.events("deleted")) == 1
