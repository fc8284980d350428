"""Sweeping: deletes that nobody announced are found, and what looks like a mass delete waits for an operator."""

import asyncio
from collections.abc import Iterable

import pytest

from bridge.contract.control import Asked
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.shard.sweep_state import read_sweeps
from tests.unit.shard.copper import instead
from tests.unit.shard.stage import ACCOUNT, NAMES, WAITS, Stage

BROKEN = Trouble(Why.IN_DOUBT, "no answer in time")
HOUR = 3600.0


async def _known(stage: Stage, ids: Iterable[int], entity: str = "company") -> None:
    """Let the shard learn of records that are there, long enough ago for search to show them."""
    for record_id in ids:
        stage.copper.keep(entity, record_id, name=f"{record_id}")
    stage.scans.clear()
    async with stage.at_work(plain=[stage.polling(entity)]):
        await stage.until(lambda: stage.scans)
    await asyncio.sleep(WAITS.index_lag + 1)
    stage.copper.calls.clear()


def _gone(stage: Stage, *ids: int, entity: str = "company") -> None:
    for record_id in ids:
        del stage.copper.records[entity, record_id]


def _told(stage: Stage, kind: str) -> list[dict[str, object]]:
    return [told["data"] for told in stage.announced() if told["type"] == kind]


async def _swept(stage: Stage, count: int = 1) -> None:
    """At work until so many sweeps have ended well."""
    async with stage.at_work(plain=[stage.sweeping("company", "lead", every=HOUR)]):
        await stage.until(lambda: len(_told(stage, "sweep.completed")) >= count)


async def test_a_delete_that_nobody_announced_is_published_once_with_the_record_as_last_seen(stage: Stage) -> None:
    await _known(stage, range(1, 401))
    _gone(stage, 7, 311)
    await _swept(stage, 2)
    assert [event["before"]["name"] for event in stage.events("deleted")] == ["311", "7"]  # in the order of keys
    assert {event["source"]["via"] for event in stage.events("deleted")} == {"sweep"}
    assert _told(stage, "sweep.completed")[0] == {"asked": 400, "missing": 2, "deleted": 2, "kept": 0}
    assert {call.lane for call in stage.copper.calls} == {Lane.SWEEPS}


async def test_two_hundred_ids_are_asked_for_in_one_call(stage: Stage) -> None:
    await _known(stage, range(1, 402))
    await _swept(stage)
    assert [len(ids) for _, ids in stage.called("by_ids")] == [200, 200, 1]


async def test_what_search_does_not_show_is_asked_for_by_id_after_the_index_lag(stage: Stage) -> None:
    await _known(stage, range(1, 21))
    stage.copper.unseen.add(("company", 7))
    _gone(stage, 8)
    await _swept(stage)
    assert stage.called("get") == [("company", 7), ("company", 8)]
    (asked,) = stage.copper.made("by_ids")
    assert stage.copper.made("get")[0].at - asked.at >= WAITS.index_lag
    assert [event["source"]["id"] for event in stage.events("deleted")] == [8]
    assert _told(stage, "sweep.completed") == [{"asked": 20, "missing": 2, "deleted": 1, "kept": 1}]


async def test_a_record_that_was_learned_of_just_now_is_left_for_the_next_sweep(stage: Stage) -> None:
    await _known(stage, [1])
    sweeping = stage.sweeping("company", every=HOUR)
    async with stage.at_work(plain=[sweeping, stage.polling(every=15.0)]):
        await stage.until(lambda: read_sweeps(stage.memory.known, ACCOUNT).finished_at)
        await asyncio.sleep(HOUR - 60)
        stage.copper.keep("company", 2, name="young")
        await stage.until(lambda: _told(stage, "sweep.completed"))
    assert stage.called("by_ids") == [("company", (1,))]


async def test_an_update_that_escaped_every_scan_is_caught(stage: Stage) -> None:
    await _known(stage, [7])
    stage.copper.keep("company", 7, name="escaped")
    await _swept(stage)
    assert [(event["after"]["name"], event["source"]["via"]) for event in stage.events("updated")] == [
        ("escaped", "sweep")
    ]


async def test_a_delete_that_a_webhook_told_meanwhile_is_not_told_twice(stage: Stage) -> None:
    await _known(stage, [7, 8])
    _gone(stage, 7)
    async with stage.at_work(stage.noticing(), plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: stage.copper.made("by_ids"))
        stage.notify("deleted", 7)
        await stage.until(lambda: _told(stage, "sweep.completed"))
    assert [event["source"]["via"] for event in stage.events("deleted")] == ["webhook"]


async def test_a_converted_lead_says_what_it_became(stage: Stage) -> None:
    await _known(stage, [7, 8, 9], "lead")
    lead = stage.copper.records["lead", 7]
    _gone(stage, 7, 8, entity="lead")
    stage.copper.indexed_leads[7] = {
        **lead, "converted_at": 1, "converted_contact_id": 70, "converted_opportunity_id": None
    }  # fmt: skip
    await _swept(stage)
    first, second = stage.events("deleted", "lead")
    assert first["source"]["converted"] == {"person": 70}
    assert "converted" not in second["source"]


async def test_the_loser_of_a_merge_is_suspected_by_what_turns_up_in_another_record(stage: Stage) -> None:
    await _known(stage, [7, 8, 9])
    stage.copper.keep("company", 7, phone_numbers=[{"number": "1", "category": "work"}])
    await _known(stage, [])
    await asyncio.sleep(HOUR)
    stage.copper.keep("company", 8, phone_numbers=[{"number": "1", "category": "work"}])
    _gone(stage, 7, 9)
    async with stage.at_work(plain=[stage.sweeping("company", every=HOUR), stage.polling(every=15.0)]):
        await stage.until(lambda: _told(stage, "sweep.completed"))
    merged = {event["source"]["id"]: event["source"].get("merged") for event in stage.events("deleted")}
    assert merged == {7: {"company": 8}, 9: None}


# -------------------------------------------------------------------------------------------------------- the brake


@pytest.fixture
async def narrowed(stage: Stage) -> Stage:
    """An account in which Copper shows only half of what it showed; nothing has been swept yet."""
    await _known(stage, range(1, 101))
    _gone(stage, *range(1, 51))
    async with stage.at_work(plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: stage.held)
        await asyncio.sleep(10 * HOUR)  # nobody decides
    return stage


async def test_too_many_missing_at_once_are_held_back_and_said_so(narrowed: Stage) -> None:
    assert narrowed.events("deleted") == []
    assert _told(narrowed, "deletes.held") == [{"reason": "too-many", "missing": 50, "known": 100}]
    assert narrowed.called("get") == []
    assert len(narrowed.called("by_ids")) == 1


async def test_a_webhook_cannot_delete_while_deletes_are_held_back(narrowed: Stage) -> None:
    narrowed.notify("deleted", 7)
    async with narrowed.at_work(narrowed.noticing()):
        await narrowed.until(lambda: narrowed.cursor(f"position/{NAMES.inbox}"))
    assert narrowed.events("deleted") == []


async def test_approved_deletes_are_published_each_confirmed_once_more(narrowed: Stage) -> None:
    narrowed.copper.keep("company", 7, name="back")
    narrowed.ask(Asked.APPROVE_DELETES)
    async with narrowed.at_work(narrowed.controlling(), plain=[narrowed.sweeping("company", every=HOUR)]):
        await narrowed.until(lambda: _told(narrowed, "deletes.resumed"))
    assert len(narrowed.events("deleted")) == 49
    assert _told(narrowed, "deletes.resumed") == [{"decision": "approved", "deleted": 49, "kept": 1}]
    assert len(narrowed.called("get")) == 50


async def test_rejected_deletes_are_forgotten_and_looked_for_again(narrowed: Stage) -> None:
    for number in range(1, 51):
        narrowed.copper.keep("company", number, name=f"{number}")
    narrowed.ask(Asked.REJECT_DELETES)
    async with narrowed.at_work(narrowed.controlling(), plain=[narrowed.sweeping("company", every=HOUR)]):
        await narrowed.until(lambda: _told(narrowed, "sweep.completed"))
    assert narrowed.events("deleted") == []
    assert _told(narrowed, "deletes.resumed") == [{"decision": "rejected", "deleted": 0, "kept": 0}]
    assert _told(narrowed, "sweep.completed") == [{"asked": 100, "missing": 0, "deleted": 0, "kept": 0}]


async def test_what_was_held_stays_held_over_a_restart(narrowed: Stage) -> None:
    narrowed.held = None
    async with narrowed.at_work(plain=[narrowed.sweeping("company", every=HOUR)]):
        await narrowed.until(lambda: narrowed.held)
        await asyncio.sleep(10 * HOUR)
    assert (narrowed.events("deleted"), len(_told(narrowed, "deletes.held"))) == ([], 1)


async def test_another_user_holds_the_deletes_before_anything_is_asked(stage: Stage) -> None:
    await _known(stage, range(1, 21))
    await _swept(stage)
    stage.copper.calls.clear()
    stage.copper.signed_in = "intern"
    _gone(stage, 7)
    async with stage.at_work(stage.controlling(), plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: stage.held)
        assert (stage.called("by_ids"), stage.events("deleted")) == ([], [])
        assert _told(stage, "deletes.held") == [{"reason": "user-changed", "missing": 0, "known": 0}]
        stage.ask(Asked.APPROVE_DELETES)  # the intern is right
        await stage.until(lambda: len(_told(stage, "sweep.completed")) == 2)
    assert len(stage.events("deleted")) == 1


async def test_a_user_who_changes_during_a_sweep_holds_what_it_found(stage: Stage) -> None:
    await _known(stage, range(1, 21))
    _gone(stage, 7)
    async with stage.at_work(plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: stage.copper.made("by_ids"))
        stage.copper.signed_in = "intern"
        await stage.until(lambda: stage.held)
    assert stage.events("deleted") == []


# ----------------------------------------------------------------------------------------------------- failing calls


async def test_a_call_that_fails_for_a_while_is_made_again(stage: Stage) -> None:
    await _known(stage, [7, 8])
    _gone(stage, 7)
    stage.copper.script["by_ids"].extend([instead(BROKEN)] * 5)
    stage.copper.script["get"].extend([instead(BROKEN)] * 5)
    await _swept(stage)
    assert len(stage.events("deleted")) == 1
    assert _told(stage, "sweep.void") == []


@pytest.mark.parametrize("method", ["viewer", "by_ids", "get"])
async def test_a_call_that_fails_for_good_voids_the_sweep_and_nothing_is_concluded(stage: Stage, method: str) -> None:
    await _known(stage, [7, 8])
    async with stage.at_work(plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: read_sweeps(stage.memory.known, ACCOUNT).finished_at)
        _gone(stage, 7)
        stage.copper.script[method].extend([instead(BROKEN)] * 6)
        await stage.until(lambda: _told(stage, "sweep.void"))
        assert stage.events("deleted") == []
        await stage.until(lambda: _told(stage, "sweep.completed"))
    assert _told(stage, "sweep.void") == [{"reason": "in-doubt"}]
    assert len(stage.events("deleted")) == 1


async def test_an_entity_that_is_switched_off_at_copper_does_not_void_the_sweep_of_the_others(stage: Stage) -> None:
    await _known(stage, [7], "lead")
    await _known(stage, [8], "company")
    _gone(stage, 8)
    off = instead(Trouble(Why.FEATURE_DISABLED, "Feature not enabled", 403))
    stage.copper.script["by_ids"].extend([lambda honest: honest(), off])
    await _swept(stage)
    assert len(stage.events("deleted")) == 1
    assert stage.events("deleted", "lead") == []


# --------------------------------------------------------------------------------------------------------- restarts


async def test_a_sweep_goes_on_after_a_restart_where_it_was(stage: Stage) -> None:
    await _known(stage, range(1, 1001))
    _gone(stage, 7)
    async with stage.at_work(plain=[stage.sweeping("company", every=HOUR)]):
        await stage.until(lambda: len(stage.copper.made("by_ids")) == 3)
    await _swept(stage)
    asked = [ids for _, ids in stage.called("by_ids")]
    assert 5 <= len(asked) <= 6  # at most the one that was under way is made again
    assert len(set(asked)) == 5
    assert len(stage.events("deleted")) == 1


async def test_a_sweep_that_an_operator_asks_for_begins_at_once_and_names_the_message(stage: Stage) -> None:
    await _known(stage, [7, 8])
    async with stage.at_work(stage.controlling(), plain=[stage.sweeping("company", "lead", every=10 * HOUR)]):
        await stage.until(lambda: read_sweeps(stage.memory.known, ACCOUNT).finished_at)
        _gone(stage, 7)
        began = stage.clock()
        stage.ask(Asked.SWEEP, "company", name="mine")
        await stage.until(lambda: _told(stage, "sweep.completed"))
    assert stage.clock() - began < WAITS.index_lag + 10
    answers = [(told["type"], told["control_id"], told["entity"]) for told in stage.announced() if told["control_id"]]
    assert answers == [("control.accepted", "mine", "company"), ("sweep.completed", "mine", "company")]
    assert len(stage.events("deleted")) == 1
