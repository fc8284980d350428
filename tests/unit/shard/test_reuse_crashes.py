"""The world ends at every moment at which two commands have one id: one of them takes it, and is told the truth.

The one that comes later is refused, or has ended for a reason of its own, and never has an effect. What it is told must
not be told to the other, however sessions and processes end between a call and its answer.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.contract.commands import encode
from bridge.contract.records import Headers
from bridge.policy.settling import Look
from bridge.shard.parts import Flows
from tests.unit.shard.copper import IN_DOUBT, after
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.lives import ended_everywhere, live
from tests.unit.shard.stage import EPOCH, NAMES, WAITS, Stage

PATIENCE = 10 * WAITS.before(Look.CREATED)
LONG_AGO = 60.0
"""Before the commands: what Copper stamps then cannot be their doing."""
UPDATE: Mapping[str, Any] = {"action": "update", "record_id": 7, "data": {"name": "A"}}
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "one that expires": {"action": "delete", "record_id": 8, "deadline": EPOCH + LONG_AGO + 2.0},
    "one that expects": {"action": "update", "record_id": 8, "data": {"name": "B"}, "expect": {"name": "Other"}},
    "a read": {"action": "get", "record_id": 8},
}
REFUSALS = {"id-reused", "would-expire", "expectation-failed"}


def _encoded(command: Mapping[str, Any]) -> tuple[bytes, Headers]:
    return encode(**command, command_id="c-1")


async def _broken(folder: Path, other: str, nth: int | None, manner: Manner) -> tuple[list[str], list[str]]:
    """One run: what is not as promised, and the moments that were passed."""
    stage = Stage(folder / "0")
    endings = Endings(stage.pulse, nth, manner)
    life = Stage(folder / "0", stage, endings)
    stage.memory.close()
    for record_id in (7, 8):
        life.copper.keep("company", record_id, name="Tideglass")
    await asyncio.sleep(LONG_AGO)
    life.copper.admitting.extend([0.0, 100.0] if other == "one that expires" else [])
    life.copper.script["execute"].extend([*([lambda honest: honest()] if other == "a read" else []), after(IN_DOUBT)])
    for command in (UPDATE, OTHERS[other], UPDATE):
        life.put(NAMES.commands("company"), *_encoded(command))
    moments = await _live(life)
    if endings.dead:
        life = Stage(folder / ("1" if manner is Manner.LOSS else "0"), life)
        await _live(life)
    return _wrong(life), moments


async def _live(stage: Stage) -> list[str]:
    return await live(stage, lambda: Flows([], [stage.executing()]), lambda: len(stage.replied()) == 3, within=PATIENCE)


def _wrong(stage: Stage) -> list[str]:
    told = {reply.offset: reply for reply in stage.replied()}
    wrong = [] if len(stage.replied()) == len(told) == 3 else [f"{len(stage.replied())} replies"]
    effects = [record_id for _, _, record_id in stage.copper.effects]
    for offset, record_id in ((0, 7), (1, 8), (2, 7)):
        reply = told[offset]
        done = reply.status == "succeeded" and reply.value["command"]["action"] != "get"
        if done != (record_id in effects) or not (reply.status == "succeeded" or reply.code in REFUSALS):
            wrong.append(f"record {record_id} told {reply.status} {reply.code}, effects on {effects}")
    return wrong + [f"{len(effects)} effects"] * (len(effects) > 1)


@pytest.mark.figures
@pytest.mark.parametrize("other", OTHERS)
async def test_wherever_the_world_ends_who_took_an_id_is_told_what_became_of_it(other: str, tmp_path: Path) -> None:
    wrong = await ended_everywhere(lambda nth, manner: _broken(tmp_path / f"{nth} {manner}", other, nth, manner))
    assert wrong == [], "\n".join(wrong)
