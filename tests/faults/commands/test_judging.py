"""The judge of commands bites: a case as it should be is found good, and each way to spoil it is found."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bridge.contract.records import Position
from bridge.sandbox.copper import Effect
from tests.faults.commands.judging import Case, judge
from tests.faults.commands.orders import Order, Twist
from tests.faults.judging import Verdict

AT = Position("copper.company.commands", 0, 7)
AGAIN = replace(AT, offset=8)
ORDER = Order(1, "acme", "company", "create", id="one")
RECORD = {"id": 70, "details": ORDER.mark}
EFFECT = Effect(1, "create", "company", 70, 1, 0.0, "api", RECORD, {}, RECORD)


def _said(status: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    error = None if code is None else {"type": code}
    return {"status": status, "error": error, "record": None, "duplicate": False, "attempts": 1, **more}


DONE = _said("succeeded", record=RECORD)
TWICE = {**DONE, "duplicate": True}
UNKNOWN = _said("unknown", "unavailable")
GOOD = Case(ORDER, [AT, AGAIN], {AT: [DONE], AGAIN: [TWICE]}, effects=[EFFECT])
READ = Case(replace(ORDER, action="get", record_id=70), [AT], {AT: [DONE]})


def _found(*cases: Case) -> dict[str, int]:
    verdict = Verdict()
    judge(verdict, cases)
    return verdict.faults()


def _answered(case: Case, said: Mapping[str, Any], **changes: Any) -> Case:
    """The case, sent once and answered so."""
    return replace(case, sent=[AT], replies={AT: [said]}, **changes)


@pytest.mark.parametrize(
    "case",
    [
        GOOD,
        READ,
        _answered(GOOD, UNKNOWN, doubts=1, open=True),
        _answered(GOOD, UNKNOWN, disturbed=True, open=True, effects=[]),
        _answered(GOOD, _said("expired", "would-expire"), effects=[], order=replace(ORDER, deadline_s=1.0)),
        _answered(GOOD, _said("failed", "unavailable"), effects=[], doubts=5),
        _answered(GOOD, _said("failed", "conflict"), effects=[], order=replace(ORDER, twist=Twist.TAKEN)),
        _answered(GOOD, _said("failed", "invalid"), effects=[], letters=1, order=replace(ORDER, twist=Twist.NONSENSE)),
    ],
)
def test_a_command_as_it_should_be_is_good(case: Case) -> None:
    assert _found(case) == {}


@pytest.mark.parametrize(
    ("found", "case"),
    [
        ("replies missing", replace(GOOD, replies={AT: [DONE]})),
        ("replies doubled", replace(GOOD, replies={AT: [DONE, TWICE], AGAIN: [TWICE]})),
        ("replies doubled", replace(GOOD, replies={AT: [DONE], AGAIN: [DONE]})),
        ("effects beyond one", replace(GOOD, effects=[EFFECT, replace(EFFECT, number=2)])),
        ("told succeeded though not applied", replace(GOOD, effects=[])),
        ("told failed though applied", _answered(GOOD, _said("failed", "unavailable"), doubts=5)),
        ("told failed though applied", _answered(GOOD, _said("expired", "would-expire"))),
        ("told two things", replace(GOOD, replies={AT: [DONE], AGAIN: [{**UNKNOWN, "duplicate": True}]}, doubts=1)),
        ("unknown without need", _answered(GOOD, UNKNOWN)),
        ("unknown without need", _answered(GOOD, UNKNOWN, doubts=1, disturbed=True)),
        ("unknown without need", _answered(GOOD, UNKNOWN, open=True)),
        ("unknown without need", _answered(READ, UNKNOWN, doubts=1, open=True)),
        ("told of another record", _answered(GOOD, {**DONE, "record": {**RECORD, "id": 71}})),
        ("told of another record", _answered(GOOD, {**DONE, "record": {**RECORD, "details": "mark 2"}})),
        ("told of another record", replace(READ, invented=True)),
        ("failed without cause", _answered(GOOD, _said("failed", "internal"), effects=[])),
        ("failed without cause", _answered(GOOD, _said("expired", "would-expire"), effects=[])),
        ("failed without cause", _answered(GOOD, _said("failed", "unavailable"), effects=[], doubts=4)),
        ("dead letters", replace(GOOD, letters=1)),
    ],
)
def test_a_spoiled_command_is_found_out(found: str, case: Case) -> None:
    assert found in _found(case)


def test_a_second_command_under_one_id_is_refused_and_has_no_effect() -> None:
    refused = _answered(GOOD, _said("failed", "id-reused"), order=replace(ORDER, number=2), effects=[])
    assert _found(GOOD, refused) == {}
    assert "told failed though applied" in _found(GOOD, replace(refused, effects=[EFFECT]))


def test_two_commands_carried_out_under_one_id_are_found_out() -> None:
    record = {"id": 71, "details": "mark 2"}
    other = _answered(
        GOOD,
        {**DONE, "record": record},
        order=replace(ORDER, number=2),
        effects=[replace(EFFECT, id=71, record=record)],
    )
    assert _found(GOOD, other) == {"effects beyond one": 1}


def test_who_is_refused_for_the_id_and_carried_out_when_asked_again_is_found_out() -> None:
    refused = replace(GOOD, replies={AT: [_said("failed", "id-reused")], AGAIN: [DONE]})
    assert _found(refused) == {"told failed though applied": 1, "failed without cause": 1}


def test_the_longest_time_from_an_attempt_to_its_effect_is_a_figure() -> None:
    verdict = Verdict()
    judge(verdict, [GOOD, replace(GOOD, landed_s=2.5)])
    assert verdict.figures["ms from an attempt to its effect at most"] == 2500


def test_an_id_that_nobody_took_refuses_nobody() -> None:
    assert "failed without cause" in _found(_answered(GOOD, _said("failed", "id-reused"), effects=[]))
