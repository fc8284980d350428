"""What a watermark promises, held against a search that lags: everything stamped up to it has been published."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest

from bridge.contract.events import state_key
from bridge.policy.sightings import Page
from tests.unit.shard.stage import ACCOUNT, NAMES, OVERLAP, Stage

RECORDS = 12
MARKS = 60
LAG = OVERLAP - 1.0


def _lagging(stage: Stage, entity: str, random: Random, longest: float) -> Callable[[], None]:
    """Let search show each version late; gives what makes a version."""
    shown_at: dict[int, float] = {}

    def edit() -> None:
        record_id = random.randint(1, RECORDS)
        stage.copper.keep(entity, record_id, name=f"{random.random()}")
        shown_at[record_id] = stage.clock() + random.uniform(0, longest)

    def late(honest: Callable[[], Any]) -> Page:
        page: Page = honest()
        rows = tuple(row for row in page.records if shown_at[row["id"]] <= stage.clock())
        return replace(page, records=rows, total=(page.total or 0) - len(page.records) + len(rows))

    stage.copper.script["search"].extend([late] * 20_000)
    return edit


def _unpublished(stage: Stage, entity: str, complete_to: int) -> list[int]:
    found = []
    for (_, record_id), record in stage.copper.records.items():
        kept = stage.memory.known.record(entity, state_key(ACCOUNT, record_id).decode())
        published = kept is not None and kept.value is not None and orjson.loads(kept.value) == record
        if record["date_modified"] <= complete_to and not published:
            found.append(record_id)
    return found


async def _broken(stage: Stage, entity: str, seed: int, longest: float) -> list[int]:
    """Records that a watermark covered and that were not published."""
    random = Random(seed)  # noqa: S311 - chance from a seed
    edit, broken = _lagging(stage, entity, random, longest), list[int]()

    async def people() -> None:
        while True:
            edit()
            await asyncio.sleep(random.uniform(0, 90))

    async with asyncio.TaskGroup() as group:
        working = group.create_task(people())
        async with stage.at_work(plain=[stage.polling(entity, every=random.uniform(5, 60), deep_every=10_000)]):
            for number in range(1, MARKS + 1):
                await stage.until(lambda number=number: len(stage.log.of(NAMES.watermarks)) >= number)  # type: ignore[misc]
                mark = orjson.loads(stage.log.of(NAMES.watermarks)[-1].value or b"")
                broken += _unpublished(stage, entity, mark["complete_to"])
        working.cancel()
    return broken


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("entity", ["task", "company"])
async def test_everything_stamped_up_to_a_watermark_has_been_published(stage: Stage, entity: str, seed: int) -> None:
    assert await _broken(stage, entity, seed, LAG) == []


async def test_a_search_that_lags_longer_than_is_allowed_for_is_found_out_by_this_test(stage: Stage) -> None:
    assert await _broken(stage, "task", 1, 4.0 * OVERLAP)
