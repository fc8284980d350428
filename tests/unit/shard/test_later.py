"""A flow that begins some time after its session."""

import asyncio

import pytest

from bridge.shard.later import Later
from tests.unit.shard.stage import Stage


async def test_a_flow_that_begins_later_makes_its_first_call_then_and_goes_on_as_ever(stage: Stage) -> None:
    began = asyncio.get_running_loop().time()
    async with stage.at_work(plain=[Later(stage.polling("task", every=20.0), 7.0)]):
        await stage.until(lambda: len(stage.scans) >= 2)
    first_call, *_, last = (call.at - began for call in stage.copper.made("search"))
    assert first_call == pytest.approx(7.0)
    assert last == pytest.approx(27.0, abs=1.0)
