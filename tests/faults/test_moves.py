"""Replicas join and leave under load: only shards that must move do, whole, and nothing is lost, doubled or disordered.

Accounts share shards here. While a step goes on every account is edited and commanded.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.running import Load, Run, running
from tests.faults.stage import LOOK_S, SHARDS

PATIENCE_S = 40.0
COMMANDS = 2
"""Answered to every account after a step, before the next one is taken."""


@dataclass
class Moves:
    """Who owns what, step by step, and how many shards moved of those that had to."""

    run: Run
    owned: dict[int, str] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)
    opened: dict[str, int] = field(default_factory=dict)
    """Lines of each replica's log that were there before."""

    async def settle(self, what: str, must: int) -> None:
        """Judge the step that was just taken, and go on until every account has been served after it."""
        now = {
            shard: replica.name
            for replica in self.run.stage.replicas
            for shard in await replica.open_shards(self.run.stage.session) or ()
        }
        moved = {shard for shard, name in now.items() if self.owned.get(shard) != name}
        self.figures.append(f"{what}: moved {len(moved)} / needed {must}")
        self.run.say(self.figures[-1])
        if len(moved) != must:
            self.run.verdict.wrong["moved needlessly"].append(f"{what}: {self.owned} became {now}")
        if self._begun() != moved:
            self.run.verdict.wrong["interrupted"].append(f"{what}: shards {self._begun()} began anew, {moved} moved")
        self.owned = now
        self.opened = {replica.name: len(replica.lines()) for replica in self.run.stage.replicas}
        await self._served(what)

    def _begun(self) -> set[int]:
        """Shards whose session was opened by anybody since the last step."""
        return {
            int(line["shard"])
            for replica in self.run.stage.replicas
            for line in replica.lines()[self.opened.get(replica.name, 0) :]
            if line["event"] == "session.opened"
        }

    async def _served(self, what: str) -> None:
        enough = {t.account.name: self._answers(t.callers.sent) + COMMANDS for t in self.run.truths}

        def waiting() -> list[str]:
            return [
                f"{what}: {t.account.name} in shard {t.callers.shard}"
                for t in self.run.truths
                if self._answers(t.callers.sent) < enough[t.account.name]
            ]

        if not await self.run.until(lambda: not waiting(), PATIENCE_S):
            self.run.verdict.wrong["accounts that stand still"] += waiting()

    def _answers(self, sent: Mapping[Any, Any]) -> int:
        return sum(self.run.log.replied[each.id] > 0 for each in sent.values())


async def _all_tell_the_owners(run: Run) -> None:
    """Wait until each replica's status names the first, the only one with a name of its own, as owner of its shards."""
    owned = {str(shard) for shard in await run.stage.replicas[0].open_shards(run.stage.session) or ()}
    for replica in run.stage.replicas:
        async with asyncio.timeout(PATIENCE_S):
            owners: dict[str, str] = {}
            while len(owners) < SHARDS or {shard for shard, name in owners.items() if name == "first"} != owned:
                await asyncio.sleep(LOOK_S)
                async with run.stage.session.get(f"http://127.0.0.1:{replica.ports[1]}/api/status") as answer:
                    owners = (await answer.json())["shards"]["owners"]


@pytest.mark.figures
@pytest.mark.timeout(400)
async def test_replicas_that_join_and_leave_move_whole_shards_and_lose_nothing(
    bootstrap_servers: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SEED") or Random().randrange(10**6))  # noqa: S311 - a seed
    print(f"\nseed {seed}")
    instance, load = f"moves-{uuid4().hex[:8]}", Load(0.5, 0.5)
    async with running(
        bootstrap_servers, instance, tmp_path, seed=seed, replicas=1, accounts=5, load=load, later=2
    ) as run:
        moves = Moves(run)
        await moves.settle("one is there", SHARDS)
        await run.stage.join()
        await moves.settle("a second joins", 2)
        third = await run.stage.join()
        await moves.settle("a third joins", 1)
        await _all_tell_the_owners(run)
        leaving = len(await third.open_shards(run.stage.session) or ())
        if code := await run.stage.leave(third):
            run.verdict.wrong["unclean stops"].append(f"exit code {code}")
        await moves.settle("it leaves", leaving)
    print(run.verdict.told())
    print("; ".join(moves.figures))
    assert not run.verdict.faults(), f"seed {seed}"
