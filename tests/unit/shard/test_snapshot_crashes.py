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
from bridge.shard.cursors import read_scan, read_snapshot
from bridge.shard.parts import Flows
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.lives import ended_everywhere, live
from tests.unit.shard.stage import ACCOUNT, OVERLAP, Stage

COUNT = 250
"""Records: two pages."""
PAGE = 200
PATIENCE = 3_000.0


async def _filled(folder: Path) -> Stage:
    stage = Stage(folder / "0")
    for number in range(1, COUNT + 1):
        stage.copper.keep("task", number, name=f"{number}")
        stage.copper.records["task", number] |= {"date_created": int(stage.clock()) - 5_000 + number}
    await asyncio.sleep(OVERLAP + 60)
    return stage


async def _live(stage: Stage, done: Callable[[], bool]) -> list[str]:
    def flows() -> Flows:
        return Flows([stage.polling("task")], [stage.controlling("task")])

    return await live(stage, flows, done, within=PATIENCE)


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
    wrong = await ended_everywhere(lambda nth, manner: _broken(tmp_path / f"{nth} {manner}", nth, manner, asked=asked))
    assert wrong == [], "\n".join(wrong)
