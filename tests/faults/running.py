"""A run: traffic on a stage, whatever is done to the replicas meanwhile, and the verdict.

`running` brings a stage up with life on it; the test does its mischief inside; leaving it lets everything come to rest,
stops the bridge, reads all again from the beginning and judges.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bridge.sandbox.copper.entities import PLURALS
from tests.faults.judging import Verdict, judge_events, judge_replies
from tests.faults.reading import ENTITIES, Log, everything, follow, public_topics, reader
from tests.faults.stage import SHARDS, Stage, stage
from tests.faults.traffic import Callers, People, producing
from tests.faults.truth import Truth

OLD = 4
"""Records of each entity that were there before the bridge."""
REST_S = 120
"""Longest time from the end of all mischief until everything is published and answered."""
REPORT_S = 15
LOOK_S = 0.2
SUBSCRIPTIONS = 3 * len(ENTITIES)
"""Of each account: without them nothing tells of deletes."""
ROUNDS = 3
"""Further scans of everything after that, in which nothing may turn up twice."""
MOST_CALLS = 180
"""What Copper allows in any minute."""


@dataclass(frozen=True)
class Load:
    """Edits and commands per second and account."""

    edits: float
    commands: float


@dataclass
class Run:
    """A stage with traffic on it."""

    stage: Stage
    log: Log
    truths: list[Truth]
    random: Random
    verdict: Verdict = field(default_factory=Verdict)
    began: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        """A line for whoever has to explain a failure."""
        print(f"[{time.monotonic() - self.began:6.1f} s, {time.time():.1f}] {what}", flush=True)

    async def until(self, fact: Callable[[], bool], patience_s: float, look_s: float = LOOK_S) -> bool:
        """Wait for a fact; False when it did not come true in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while not (true := fact()) and loop.time() < deadline:  # noqa: ASYNC110 - it comes true in other processes
            await asyncio.sleep(look_s)
        return true

    def settled_in(self) -> bool:
        """Whether the first snapshot is published and every subscription is made."""
        subscribed = min(len(truth.account.subscriptions.rows) for truth in self.truths)
        return len(self.log.state) >= OLD * len(ENTITIES) * len(self.truths) and subscribed >= SUBSCRIPTIONS

    def unanswered(self) -> list[str]:
        """Commands that wait for a reply."""
        commands = [sent for truth in self.truths for sent in truth.callers.sent.values()]
        return [str(sent) for sent in commands if self.log.replied[sent.id] < len(sent.at)]

    def unpublished(self) -> list[str]:
        """Records whose last version is not their state."""
        wanted = {
            (self.log.names.state(entity), f"{truth.account.name}/{record['id']}"): record
            for truth in self.truths
            for entity in ENTITIES
            for record in truth.account.records(entity)
        }
        known = {where: value for where, value in self.log.state.items() if value is not None}
        odd = [str(where) for where in known.keys() ^ wanted.keys()]
        return odd + [str(where) for where in known.keys() & wanted.keys() if not _same(known[where], wanted[where])]

    def at_rest(self) -> bool:
        """Everything is answered, and the state of every record is the truth."""
        return self.stage.ingress.empty and not self.unanswered() and not self.unpublished()

    def scans(self) -> int:
        """The least number of searches that any entity of any account has seen."""
        calls = [(call.account, call.path) for call in self.stage.copper.calls]
        return min(calls.count((t.account.name, f"/{plural}/search")) for t in self.truths for plural in PLURALS)

    async def rest(self) -> None:
        """Let everything be published and answered, and then look on for a while."""
        began = time.monotonic()
        while not await self.until(self.at_rest, REPORT_S):
            left = [*self.unanswered(), *self.unpublished()]
            ingress = "empty" if self.stage.ingress.empty else "not empty"
            self.say(f"not at rest: {len(left)}, such as {left[:1]}; ingress {ingress}")
            if time.monotonic() - began > REST_S:
                self.verdict.wrong["never at rest"] += left
                break
        self.say(f"at rest after {time.monotonic() - began:.1f} s")
        enough = self.scans() + ROUNDS
        assert await self.until(lambda: self.scans() >= enough, 60), "the bridge polls no more"

    async def judge(self) -> None:
        """The whole verdict; call it when the bridge is down."""
        verdict, stage = self.verdict, self.stage
        last = Log(self.log.names)
        last.take(await everything(stage.servers, public_topics(last.names), SHARDS))
        if last.by_partition() != self.log.by_partition():
            verdict.wrong["readers at odds"].append("the concurrent reader saw other records than the last one")
        judge_events(verdict, last, self.truths)
        judge_replies(verdict, last, self.truths)
        options = {"isolation.level": "read_uncommitted"}
        total = len(await everything(stage.servers, public_topics(last.names), SHARDS, **options))
        verdict.figures["records of aborted transactions"] = total - len(last.records)
        for truth in self.truths:
            most = stage.copper.max_calls_in_any_minute(truth.account.name)
            verdict.figures[f"calls at most in a minute for {truth.account.name}"] = most
            if most > MOST_CALLS:
                verdict.wrong["budget"].append(f"{most} calls in a minute for {truth.account.name}")
        verdict.figures["calls answered 429"] = sum(call.status == 429 for call in stage.copper.calls)
        verdict.figures.update(stage.logged())
        verdict.wrong["complaints"] += stage.complaints()


def _same(value: bytes, record: dict[str, object]) -> bool:
    """Equal but for the stamp, which alone is no event."""
    return bool({**json.loads(value), "date_modified": 0} == {**record, "date_modified": 0})


def _tell(truths: Sequence[Truth], reply: dict[str, Any]) -> None:
    for truth in truths:
        truth.callers.answered(reply)


@asynccontextmanager
async def running(
    servers: str,
    instance: str,
    directory: Path,
    *,
    seed: int,
    replicas: int,
    accounts: int,
    load: Load,
    later: int = 0,
) -> AsyncGenerator[Run]:
    """A run under that load, while the block lasts."""
    async with (
        stage(servers, instance, directory, replicas=replicas, accounts=accounts, seed=seed, later=later) as standing,
        producing(servers) as producer,
    ):
        log, truths = Log(standing.names), []
        for account in standing.accounts:
            people = People(account, f"{seed}/people/{account.name}")
            people.settle_in(OLD)
            shard = standing.shards[account.name]
            callers = Callers(account, shard, people, producer, standing.names, f"{seed}/callers/{account.name}")
            truths.append(Truth(account, people, callers))
        log.on_reply = lambda reply: _tell(truths, reply)
        run = Run(standing, log, truths, Random(f"{seed}/mischief"))  # noqa: S311 - chance from a seed
        await standing.start()
        run.say("the bridge is ready")
        async with reader(servers, public_topics(log.names), SHARDS) as consumer, asyncio.TaskGroup() as group:
            following = group.create_task(follow(consumer, log))
            assert await run.until(run.settled_in, 60), "no snapshot, or no subscriptions"
            run.say("traffic begins")
            stop = asyncio.Event()
            for truth in truths:
                group.create_task(truth.people.work(load.edits, stop))
                group.create_task(truth.callers.work(load.commands, stop))
            yield run
            stop.set()
            run.say("traffic ends")
            await run.rest()
            for replica in standing.replicas:
                code, seconds = await replica.stop()
                run.say(f"{replica.name} ended with {code} after {seconds:.1f} s")
                if code != 0:
                    run.verdict.wrong["exit code"].append(f"{replica.name}: {code}")
            following.cancel()
        await run.judge()
