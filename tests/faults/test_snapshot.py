"""The first snapshot of a large entity, with people at work and the bridge killed: its state is Copper's truth."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.sandbox.copper import Account
from tests.faults.judging import Verdict, judge_events
from tests.faults.reading import ENTITIES, Log, everything, follow, reader
from tests.faults.running import MOST_CALLS
from tests.faults.stage import SHARDS, Stage, stage
from tests.faults.traffic import SINCE, Callers, People, producing
from tests.faults.truth import Truth

ENTITY = "task"
SCALED, FULL = 3_000, 120_000
PAGE = 200
TIES = 3
"""So many records were created in one second."""
CROWD = 220
"""And so many in one second of an import: more than fit into a page."""
KILLS = 3
EDITS_PER_SECOND = 2.0
TRANSACTION_S = 0.03
REST_S = 90
SUBSCRIPTIONS = 3
"""Before they are made, what is deleted unseen never was, for the bridge."""
ONLY = {entity: {"enabled": False} for entity in ENTITIES if entity != ENTITY}


def _fill(people: People, count: int) -> None:
    """Records that always were there."""
    half = count // 2
    created = [SINCE + (n if n < half else max(half, n - CROWD)) // TIES for n in range(count)]
    rows = [{"name": f"old {n}", "date_created": at, "date_modified": at} for n, at in enumerate(created)]
    for record_id in people.account.load(ENTITY, rows):
        people.first[ENTITY, record_id] = dict(people.account.record(ENTITY, record_id) or {})


async def _work(people: People, touched: set[int], stop: asyncio.Event) -> None:
    """Edit, delete and create, all over the entity, until asked to stop."""
    account, random = people.account, people.random
    living = [record_id for _, record_id in people.first]
    number = 0
    while not stop.is_set():
        number += 1
        at, dice = random.randrange(len(living)), random.random()
        if dice < 0.2:
            living[at], living[-1] = living[-1], living[at]
            record_id = living.pop()
            account.delete(ENTITY, record_id)
        elif dice < 0.4:
            record_id = account.create(ENTITY, {"name": f"new {number}", "details": f"people {number}"})["id"]
            living.append(record_id)
        else:
            record_id = living[at]
            account.edit(ENTITY, record_id, {"details": f"people {number}"})
        touched.add(record_id)
        await asyncio.sleep(random.expovariate(EDITS_PER_SECOND))


async def _kill(play: Stage, random: Random, pages: int) -> None:
    """Kill the bridge when so many pages have been answered, about when the last one is being committed."""
    (bridge,) = play.replicas
    while len(_pages(play)) < pages:  # noqa: ASYNC110 - the double tells nobody
        await asyncio.sleep(0.001)
    await asyncio.sleep(random.uniform(0, TRANSACTION_S))
    await bridge.kill()
    await bridge.start()


def _pages(play: Stage) -> list[object]:
    return [call for call in play.copper.calls if call.path == "/tasks/search" and call.status is not None]


def _told(play: Stage, event: str) -> list[dict[str, object]]:
    return [line for line in play.replicas[0].lines() if line["event"] == event]


async def _until(true: Callable[[], bool], patience_s: float) -> None:
    async with asyncio.timeout(patience_s):
        while not true():  # noqa: ASYNC110 - it comes true in another process
            await asyncio.sleep(0.2)


def _at_rest(account: Account, log: Log, touched: set[int]) -> bool:
    """Whether the state of all that people touched is the truth."""
    topic = log.names.state(ENTITY)
    for record_id in touched:
        value, record = log.state.get((topic, f"{account.name}/{record_id}")), account.record(ENTITY, record_id)
        if (None if value is None else json.loads(value)) != record:
            return False
    return True


async def _suffer(servers: str, directory: Path, count: int, patience_s: float) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance, random = f"snapshot-{uuid4().hex[:8]}", Random(f"{seed}/mischief")  # noqa: S311 - chance from a seed
    async with (
        stage(servers, instance, directory, replicas=1, accounts=1, seed=seed, events=ONLY) as play,
        producing(servers) as producer,
    ):
        (account,), (bridge,) = play.accounts, play.replicas
        people = People(account, f"{seed}/people")
        _fill(people, count)
        callers = Callers(account, play.shards[account.name], people, producer, play.names, "none")
        log, verdict, touched, stop = Log(play.names), Verdict(), set[int](), asyncio.Event()
        topics = [play.names.state(ENTITY), play.names.changes(ENTITY)]
        topics += [play.names.event(ENTITY, kind) for kind in CATALOGUE.kinds(ENTITY)]
        await play.start()
        began = time.monotonic()
        async with reader(servers, topics, SHARDS) as consumer, asyncio.TaskGroup() as group:
            following = group.create_task(follow(consumer, log))
            await _until(lambda: len(account.subscriptions.rows) >= SUBSCRIPTIONS, REST_S)
            group.create_task(_work(people, touched, stop))
            for number in range(1, KILLS + 1):
                await _kill(play, random, count * number // PAGE // (KILLS + 1))
            await _until(lambda: bool(_told(play, "snapshot.done")), patience_s)
            verdict.figures["seconds that the snapshot took"] = round(time.monotonic() - began)
            verdict.figures["pages asked for"] = len(_pages(play))
            stop.set()
            await _until(lambda: play.ingress.empty and _at_rest(account, log, touched), REST_S)
            code, _seconds = await bridge.stop()
            following.cancel()
        last = Log(play.names)
        last.take(await everything(servers, topics, SHARDS))
        judge_events(verdict, last, [Truth(account, people, callers)])
        wanted = {f"{account.name}/{record['id']}" for record in account.records(ENTITY)}
        known = {key for (_topic, key), value in last.state.items() if value is not None}
        verdict.wrong["state has too much or too little"] += sorted(known ^ wanted)
        verdict.wrong["complaints"] += play.complaints()
        verdict.figures["records in the end"] = len(known)
        verdict.figures["records touched meanwhile"] = len(touched)
        verdict.figures["kills"] = KILLS
        most = play.copper.max_calls_in_any_minute(account.name)
        verdict.figures["calls at most in a minute"] = most
    print(verdict.told())
    assert (code, most <= MOST_CALLS, verdict.faults()) == (0, True, {}), f"seed {seed}"


@pytest.mark.figures
@pytest.mark.timeout(150)
async def test_a_snapshot_survives_kills_while_people_edit_and_delete(bootstrap_servers: str, tmp_path: Path) -> None:
    await _suffer(bootstrap_servers, tmp_path, SCALED, 100)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(1500)
async def test_a_large_snapshot_survives_kills_while_people_edit_and_delete(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    await _suffer(bootstrap_servers, tmp_path, FULL, 1200)
