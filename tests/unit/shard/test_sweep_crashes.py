"""The world ends at every moment of a sweep: each delete is told once, none is made up, a decision is carried out once.

A sweep that finds a few deletes, and one that finds too many and is approved. A life of a shard ends at the nth moment,
before and after each commit and each call; another goes on with what survives it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.contract.control import Asked
from bridge.shard.parts import Flows
from bridge.shard.sweep_state import read_sweeps
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.lives import ended_everywhere, live
from tests.unit.shard.stage import ACCOUNT, WAITS, Stage

COUNT = 60
"""Companies."""
FEW, MANY, MOST = range(1, 4), range(1, 8), 5
HIDDEN = 50
"""A company that search does not show although it is there."""
PATIENCE = 30_000.0
SELDOM = 1_000_000.0


async def _life(stage: Stage, done: Callable[[], bool]) -> list[str]:
    def flows() -> Flows:
        return Flows([stage.sweeping("company", every=SELDOM, most=MOST)], [stage.controlling("company")])

    return await live(stage, flows, done, within=PATIENCE)


async def _known(folder: Path) -> Stage:
    """A shard that knows all companies, and has a sweep behind it."""
    stage = Stage(folder / "0")
    for number in range(1, COUNT + 1):
        stage.copper.keep("company", number, name=f"{number}")
    async with stage.at_work(plain=[stage.polling()]):
        await stage.until(lambda: stage.scans)
    await asyncio.sleep(WAITS.index_lag + 1)
    stage.memory.close()
    first = Stage(folder / "0", stage)
    await _life(first, lambda: read_sweeps(first.memory.known, ACCOUNT).viewer is not None)
    return first


def _ended(stage: Stage, *, held: bool) -> bool:
    told = "deletes.resumed" if held else "sweep.completed"
    return any(each["type"] == told for each in stage.announced())


async def _broken(folder: Path, nth: int | None, manner: Manner, *, held: bool) -> tuple[list[str], list[str]]:
    """One run: what is not as promised, and the moments that were passed."""
    stage = await _known(folder)
    gone = MANY if held else FEW
    for number in gone:
        del stage.copper.records["company", number]
    stage.copper.unseen.add(("company", HIDDEN))
    stage.ask(Asked.SWEEP, "company", name="sweep")
    if held:
        waiting = Stage(folder / "0", stage)
        await _life(waiting, lambda: read_sweeps(waiting.memory.known, ACCOUNT).held is not None)
        stage = waiting
        stage.ask(Asked.APPROVE_DELETES, name="approve")
    endings = Endings(stage.pulse, nth, manner)
    life = Stage(folder / "0", stage, endings)
    moments = await _life(life, lambda: _ended(life, held=held))
    if endings.dead:
        life = Stage(folder / ("1" if manner is Manner.LOSS else "0"), life)
        await _life(life, lambda: _ended(life, held=held))
    return _wrong(life, set(gone), held=held), moments


def _wrong(stage: Stage, gone: set[int], *, held: bool) -> list[str]:
    deleted = Counter(event["source"]["id"] for event in stage.events("deleted"))
    told = Counter(each["type"] for each in stage.announced() if each["control_id"])
    wrong = [f"{record_id} told {count} times" for record_id, count in deleted.items() if count > 1]
    wrong += [f"{record_id} made up" for record_id in deleted.keys() - gone]
    wrong += [f"{record_id} missed" for record_id in gone - deleted.keys()]
    promised = {"control.accepted": 2, "deletes.held": 1, "deletes.resumed": 1} if held else {}
    if told != Counter(promised or {"control.accepted": 1, "sweep.completed": 1}):
        wrong.append(f"told: {dict(told)}")
    return wrong


@pytest.mark.figures
@pytest.mark.parametrize("held", [False, True], ids=["a few deletes", "too many, approved"])
async def test_wherever_the_world_ends_a_sweep_tells_each_delete_once_and_none_that_did_not_happen(
    held: bool, tmp_path: Path
) -> None:
    wrong = await ended_everywhere(lambda nth, manner: _broken(tmp_path / f"{nth} {manner}", nth, manner, held=held))
    assert wrong == [], "\n".join(wrong)
