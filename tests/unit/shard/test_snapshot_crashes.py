"""The world ends at every moment of a snapshot: what is promised of it holds all the same.

The first one, and one that is asked for beside the polls while people edit. A life of a shard ends at the nth moment,
before and after each commit and each call; another goes on with what survives it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from bridge.contract.control import Asked
from bridge.contract.events import state_key
from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.cursors import read_scan, read_snapshot
from bridge.shard.ports import Ledger
from bridge.shard.session import Flows, own
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.stage import ACCOUNT, OVERLAP, Stage

COUNT = 250
"""Records: two pages."""
PAGE = 200
PATIENCE = 3_000.0
AFTERWARDS = 60.0


async def _filled(folder: Path) -> Stage:
    stage = Stage(folder / "0")
    for number in range(1, COUNT + 1):
        stage.copper.keep("task", number, name=f"{number}")
        stage.copper.records["task", number] |= {"date_created": int(stage.clock()) - 5_000 + number}
    await asyncio.sleep(OVERLAP + 60)
    return stage


async def _live(stage: Stage, done: Callable[[], bool]) -> list[str]:
    """Hold sessions until it is done and for a while after that, or until the process is killed.

    Gives the moments that were passed until it was done.
    """
    stop = asyncio.Event()

    def flows(ledger: Ledger, _fenced_at: float) -> Flows:
        stage.copper.cut_off = lambda: stage.ledger.fail(SessionEnded(Ending.IN_DOUBT, "a call was cut off"))
        return Flows([stage.polling("task", ledger)], [stage.controlling("task")])

    owning = asyncio.create_task(own(stage.parts(flows), stop))
    await stage.until(lambda: stage.endings.dead or done(), PATIENCE)
    moments = list(stage.endings.passed)
    if stage.endings.dead:
        owning.cancel()
    else:
        await asyncio.sleep(AFTERWARDS)
        stop.set()
    await asyncio.wait([owning])
    stage.memory.close()
    return moments


def _followed(stage: Stage) -> bool:
    cursor = read_scan(stage.memory.known, ACCOUNT, "task")
    return cursor is not None and cursor.resume_at is None


def _taken(stage: Stage) -> bool:
    accepted = [told for told in stage.announced() if told["type"] == "control.accepted"]
    return bool(accepted) and read_snapshot(stage.memory.known, ACCOUNT, "task") is None


async def _broken(folder: Path, nth: int | None, manner: Manner, *, asked: bool) -> tuple[list[str], list[str]]:
    """One run: what is not as promised, and the moments that were passed."""
    stage = await _filled(folder)
    if asked:
        await _live(stage, lambda: _followed(stage))
        stage = Stage(folder / "0", stage)
        stage.ask(Asked.SNAPSHOT, "task", name="mine")
        stage.copper.keep("task", 121, name="meanwhile")
    else:
        stage.memory.close()
        stage = Stage(folder / "0", stage)
    rows, announced = len(stage.events("changes", "task")), len(stage.announced())
    stage.memory.close()
    endings = Endings(stage.pulse, nth, manner)
    done = _taken if asked else _followed
    life = Stage(folder / "0", stage, endings)
    moments = await _live(life, lambda: done(life))
    if endings.dead:
        life = Stage(folder / ("1" if manner is Manner.LOSS else "0"), life)
        await _live(life, lambda: done(life))
    wrong = _wrong(life, rows, announced, crashed=nth is not None, asked=asked)
    return wrong, moments


def _wrong(stage: Stage, rows: int, announced: int, *, crashed: bool, asked: bool) -> list[str]:
    seen = Counter((event["op"], event["source"]["id"]) for event in stage.events("changes", "task")[rows:])
    told = Counter(each["type"] for each in stage.announced()[announced:])
    shown = Counter({record_id: count for (op, record_id), count in seen.items() if op == "r"})
    untold = set(range(1, COUNT + 1)) - {record_id for _, record_id in seen}
    overlap = PAGE if asked and crashed else 0
    states = {record.key: record.value for record in stage.log.of("copper.task.state")}
    wrong = [f"{len(untold)} records not told of"] if untold else []
    if shown.total() > COUNT + overlap:
        wrong.append(f"{shown.total()} snapshot rows")
    if seen["u", 121] != asked or sum(count for (op, _), count in seen.items() if op != "r") != asked:
        wrong.append(f"changes: {[each for each in seen if each[0] != 'r']}")
    if (told["snapshot.completed"], told["control.accepted"]) != (1, asked):
        wrong.append(f"told: {dict(told)}")
    for (_, record_id), record in stage.copper.records.items():
        if orjson.loads(states[state_key(ACCOUNT, record_id)] or b"null") != record:
            wrong.append(f"state of {record_id}")
    return wrong


@pytest.mark.figures
@pytest.mark.parametrize("asked", [False, True], ids=["the first one", "one that is asked for"])
async def test_wherever_the_world_ends_a_snapshot_is_completed_once_and_makes_no_change(
    asked: bool, tmp_path: Path
) -> None:
    wrong, moments = await _broken(tmp_path / "undisturbed", None, Manner.SESSION, asked=asked)
    assert wrong == []
    runs = 0
    for nth, moment in enumerate(moments):
        for manner in Manner:
            runs += 1
            found, _ = await _broken(tmp_path / f"{nth} {manner}", nth, manner, asked=asked)
            wrong += [f"{moment} ({nth}), {manner}: {each}" for each in found]
    print(f"{len(moments)} moments, {runs} endings, {len(wrong)} violations")
    assert wrong == [], "\n".join(wrong)
