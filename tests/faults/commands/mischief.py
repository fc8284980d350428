"""Mischief in a trial of commands: replicas killed, paused and stopped, and the spans of time in which that was."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from tests.faults.commands.evidence import Disturbance
from tests.faults.judging import Verdict
from tests.faults.replicas import Replica
from tests.faults.stage import SESSION_S, SHARDS, Stage

AIMED = 0.7
"""Share of kills that wait for a write to arrive at Copper; the others come at any moment."""
IDLE = 0.2
"""Share of deeds that may hit one without work, or one that is starting."""
ANSWERED_S = 0.3
"""By then a write is answered and concluded."""
AIM_S = 2.0
HANDOVER_S = 10.0
"""Within which the next session is opened when one has ended."""


@dataclass
class Mischief:
    """What is done to the replicas, one thing at a time."""

    stage: Stage
    verdict: Verdict
    random: Random
    done: list[Disturbance] = field(default_factory=list)

    async def work(self, kills: int, pauses: int, stops: int, every_s: tuple[float, float]) -> None:
        """So many deeds, in any order."""
        deeds = [self._kill] * kills + [self._pause] * pauses + [self._stop] * stops
        self.random.shuffle(deeds)
        for deed in deeds:
            await asyncio.sleep(self.random.uniform(*every_s))
            await deed(await self._victim())

    def handovers(self) -> list[Disturbance]:
        """When shards passed from one session to the next, as the replicas' logs tell: to the living ones, too."""
        return [
            Disturbance(at - HANDOVER_S, at, [line["shard"]])
            for replica in self.stage.replicas
            for line in replica.lines()
            if line["event"] == "session.opened"
            for at in [datetime.fromisoformat(line["ts"]).timestamp()]
        ]

    async def _victim(self) -> Replica:
        """Any, or mostly one at work."""
        replicas = self.stage.replicas
        if self.random.random() < IDLE:
            return self.random.choice(replicas)
        at_work = [each for each in replicas if await each.open_shards(self.stage.session)]
        return self.random.choice(at_work or replicas)

    async def _kill(self, victim: Replica) -> None:
        owned = await self._owned(victim)
        aimed = self.random.random() < AIMED and await self._written(owned)
        began = time.time()
        await victim.kill()
        self.done.append(Disturbance(began, time.time(), owned))
        pause_s = self.random.choice([0.0, self.random.uniform(0, 2), SESSION_S + self.random.uniform(0, 1)])
        print(f"[{time.time():.1f}] killed {victim.name}, at work on {owned}, again after {pause_s:.1f} s", flush=True)
        self.verdict.figures["kills"] += 1
        self.verdict.figures["kills of a replica at work"] += bool(owned)
        self.verdict.figures["kills just after a write's arrival"] += aimed
        await asyncio.sleep(pause_s)
        await victim.start()

    async def _owned(self, victim: Replica) -> Sequence[int]:
        """Its shards; all, while it does not say."""
        owned = await victim.open_shards(self.stage.session)
        return range(SHARDS) if owned is None else owned

    async def _written(self, shards: Sequence[int]) -> bool:
        """Wait until a write of one of these shards arrives at Copper, and a moment more."""
        accounts = {name for name, shard in self.stage.shards.items() if shard in shards}
        calls, loop = self.stage.copper.calls, asyncio.get_running_loop()
        seen, deadline = len(calls), loop.time() + AIM_S
        while loop.time() < deadline:
            if any(call.account in accounts and not call.path.endswith("/search") for call in calls[seen:]):
                await asyncio.sleep(self.random.uniform(0, ANSWERED_S))
                return True
            await asyncio.sleep(0.002)
        return False

    async def _pause(self, victim: Replica) -> None:
        """Until long after its session has ended; then it goes on as a zombie."""
        await self.stage.working()
        owned = await self._owned(victim)
        began, pause_s = time.time(), 2 * SESSION_S + self.random.uniform(0, 2)
        victim.pause()
        print(f"[{began:.1f}] paused {victim.name} for {pause_s:.1f} s", flush=True)
        await asyncio.sleep(pause_s)
        victim.resume()
        self.done.append(Disturbance(began, time.time(), owned))
        self.verdict.figures["pauses"] += 1

    async def _stop(self, victim: Replica) -> None:
        code, seconds = await victim.stop()
        print(f"[{time.time():.1f}] stopped {victim.name}: {code} after {seconds:.1f} s", flush=True)
        self.verdict.figures["stops"] += 1
        if code != 0:
            self.verdict.wrong["exit code"].append(f"{victim.name}: {code}")
        await victim.start()
