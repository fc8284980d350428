"""Scripted faults: before, after, instead of and long after carrying a call out."""

import asyncio
from typing import Any

import aiohttp
import pytest

from bridge.sandbox.copper import Fault

LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


def names(acme: Any) -> list[str]:
    return [record["name"] for record in acme.records("task")]


@pytest.mark.parametrize(("when", "true"), [("before", []), ("after", ["Call"])])
async def test_a_500_comes_before_or_after_the_effect(
    when: Any, true: list[str], call: Any, acme: Any, copper: Any
) -> None:
    copper.fault(Fault("status", when=when, status=500))
    answer = await call("POST", "/tasks", {"name": "Call"})

    assert answer.status == 500
    assert names(acme) == true
    assert copper.calls[-1].applied is bool(true)
    assert (await call("POST", "/tasks", {"name": "Next"})).status == 200


@pytest.mark.parametrize(
    ("body", "start"),
    [("json", b'{"success":false'), ("short", b'{"error"'), ("html", b"<html>"), ("empty", b"")],
)
async def test_a_fault_answers_in_the_body_asked_for(body: Any, start: bytes, call: Any, copper: Any) -> None:
    copper.fault(Fault("status", status=502, body=body))
    answer = await call("GET", "/account")

    assert answer.status == 502
    assert answer.body.startswith(start)
    assert bool(answer.body) is bool(start)


@pytest.mark.parametrize(("when", "true"), [("before", []), ("after", ["Call"])])
async def test_a_connection_is_reset_before_or_after_the_effect(
    when: Any, true: list[str], call: Any, acme: Any, copper: Any
) -> None:
    copper.fault(Fault("reset", when=when))
    with pytest.raises(LOST):
        await call("POST", "/tasks", {"name": "Call"})

    assert names(acme) == true
    assert copper.calls[-1].status is None


@pytest.mark.parametrize(("when", "true"), [("before", []), ("after", ["Call"])])
async def test_a_call_that_hangs_was_carried_out_or_not(
    when: Any, true: list[str], call: Any, acme: Any, copper: Any
) -> None:
    copper.fault(Fault("hang", when=when))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await call("POST", "/tasks", {"name": "Call"})

    assert names(acme) == true


async def test_a_late_call_is_applied_after_its_caller_gave_up(call: Any, acme: Any, copper: Any) -> None:
    copper.fault(Fault("late", seconds=0.2))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await call("POST", "/tasks", {"name": "Call"})
    given_up = names(acme)
    async with asyncio.timeout(5):
        await acme.reached(1)

    assert given_up == []
    assert names(acme) == ["Call"]
    assert copper.calls[0].effects == (1,)


async def test_a_slow_answer_is_the_right_one(call: Any, acme: Any, copper: Any) -> None:
    copper.fault(Fault("slow", seconds=0.05))
    answer = await call("POST", "/tasks", {"name": "Call"})

    assert answer.json == acme.records("task")[0]


async def test_a_cut_answer_was_carried_out_and_cannot_be_read(call: Any, acme: Any, copper: Any) -> None:
    copper.fault(Fault("cut"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await call("POST", "/tasks", {"name": "Call"})

    assert names(acme) == ["Call"]


async def test_the_log_of_calls_tells_whose_caller_learned_of_the_answer(call: Any, copper: Any) -> None:
    copper.fault(Fault("cut"), Fault("reset", when="after"), Fault("slow", seconds=0.1))
    for lost in (aiohttp.ClientPayloadError, LOST):
        with pytest.raises(lost):
            await call("POST", "/tasks", {"name": "Call"})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await call("POST", "/tasks", {"name": "Call"})
    async with asyncio.timeout(5):
        await copper.account("acme").reached(3)
    await call("POST", "/tasks", {"name": "Call"})

    *lost_calls, heard = copper.calls
    assert [call.answered for call in lost_calls] == [None, None, None]
    assert heard.at <= heard.answered <= copper.clock()


async def test_a_fault_hits_only_the_calls_it_is_for_and_as_often_as_it_says(call: Any, copper: Any) -> None:
    copper.fault(Fault("status", status=503, method="PUT", path="/tasks/*", contains="4711", skip=1, times=2))
    made = (await call("POST", "/tasks", {"name": "Call 4711"})).json
    path = f"/tasks/{made['id']}"
    other = (await call("PUT", path, {"details": "1"})).status
    hits = [(await call("PUT", path, {"details": "4711"})).status for _ in range(4)]

    assert other == 200
    assert hits == [200, 503, 503, 200]


@pytest.mark.parametrize(("status", "text"), [(403, "Feature not enabled"), (429, "Too Many"), (401, "Invalid api")])
async def test_refusals_that_cannot_be_provoked_are_scripted(status: int, text: str, call: Any, copper: Any) -> None:
    copper.fault(Fault("status", status=status))
    answer = await call("GET", "/account")

    assert answer.status == status
    assert text in answer.message
