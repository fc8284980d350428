"""A trial of commands: orders for many accounts, rough weather at Copper, replicas that are killed, paused and stopped.

The test says how much of each; `tried` does it, reads everything that came of it and judges.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Position
from bridge.contract.topics import TopicNames
from bridge.sandbox.copper import Account
from tests.faults.commands.evidence import Evidence, asked
from tests.faults.commands.judging import judge
from tests.faults.commands.mischief import Mischief
from tests.faults.commands.orders import CROWDED, ENTITIES, SHARED, Order, Pools, orders
from tests.faults.commands.sending import old_records, send
from tests.faults.commands.weather import Weather
from tests.faults.judging import Verdict
from tests.faults.reading import Log, everything, follow, reader
from tests.faults.stage import SHARDS, Stage, stage
from tests.faults.traffic import producing

BUSY = 2
"""How many times the commands of another the first account gets: it works at the limit."""
DOOMED = 0.14
"""Share of an account's commands that delete or convert records of one entity, at the very most."""
KEYED = ("lead", "opportunity", "task", "project")
REFERENCE_NUMBER = 50313
"""The double's Number field that every second account has its keys in."""
PEOPLE_EVERY_S = 0.3
LOOK_S = 0.2
LOOK_ON_S = 3.0
"""After the last reply, for replies that should not come."""
MOST_CALLS = 180
"""What Copper allows in any minute."""


@dataclass(frozen=True)
class Form:
    """How much of everything. Times in seconds; `patience_s` from the end of all mischief until all is answered."""

    commands: int
    accounts: int
    replicas: int
    span_s: float
    kills: int
    pauses: int
    stops: int
    every_s: tuple[float, float]
    patience_s: float


@dataclass
class Trial:
    """A trial under way."""

    form: Form
    seed: int
    stage: Stage
    log: Log
    own_topic: str
    verdict: Verdict = field(default_factory=Verdict)
    sent: dict[Order, list[Position]] = field(default_factory=lambda: defaultdict(list))
    answered: set[Position] = field(default_factory=set)
    first: dict[tuple[str, str, int], Mapping[str, Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def chance(self, what: str) -> Random:
        return Random(f"{self.seed}/{what}")  # noqa: S311 - chance from a seed

    def say(self, what: str) -> None:
        """A line for whoever has to explain a failure."""
        print(f"[{time.monotonic() - self.began:6.1f} s, {time.time():.1f}] {what}", flush=True)

    def plan(self) -> list[Sequence[Order]]:
        """Orders of each account; the records they are about are put into Copper."""
        share = self.form.commands / (len(self.stage.accounts) + BUSY - 1)
        found = []
        for number, account in enumerate(self.stage.accounts):
            count = -int(-share * (BUSY if number == 0 else 1) // 1)
            pools = self._settle_in(account, int(count * DOOMED) + 8)
            chance = self.chance(account.name)
            found.append(orders(account.name, pools, count, self.form.span_s, self.own_topic, chance))
        return found

    def _settle_in(self, account: Account, doomed: int) -> Pools:
        made = {entity: account.load(entity, old_records(entity, SHARED + CROWDED + doomed)) for entity in ENTITIES}
        for entity, ids in made.items():
            for record_id in ids:
                self.first[account.name, entity, record_id] = dict(account.record(entity, record_id) or {})
        return Pools(
            shared={entity: ids[:SHARED] for entity, ids in made.items()},
            crowded={entity: ids[SHARED : SHARED + CROWDED] for entity, ids in made.items()},
            doomed={entity: ids[SHARED + CROWDED :] for entity, ids in made.items()},
        )

    async def until(self, fact: Callable[[], bool], patience_s: float) -> bool:
        """Wait for a fact; False when it did not come true in time."""
        deadline = time.monotonic() + patience_s
        while not (true := fact()) and time.monotonic() < deadline:  # noqa: ASYNC110 - it comes true elsewhere
            await asyncio.sleep(LOOK_S)
        return true

    def unanswered(self) -> list[Position]:
        return [at for row in self.sent.values() for at in row if at not in self.answered]

    async def people(self) -> None:
        """Somebody edits records that commands write to as well, until cancelled."""
        random = self.chance("people")
        while True:
            account, entity = random.choice(self.stage.accounts), random.choice(ENTITIES)
            record_id = self.first_of(account, entity) + SHARED + random.randrange(CROWDED)
            account.edit(entity, record_id, {"details": f"people {random.random()}"})
            await asyncio.sleep(random.expovariate(1 / PEOPLE_EVERY_S))

    def first_of(self, account: Account, entity: str) -> int:
        return min(record_id for name, kind, record_id in self.first if (name, kind) == (account.name, entity))

    async def stop(self) -> None:
        """Stop every replica."""
        for replica in self.stage.replicas:
            code, seconds = await replica.stop()
            self.say(f"{replica.name} ended with {code} after {seconds:.1f} s")
            if code != 0:
                self.verdict.wrong["exit code"].append(f"{replica.name}: {code}")

    async def judge(self, weather: Weather, mischief: Mischief) -> None:
        """The whole verdict; call it when the bridge is down."""
        names, copper, verdict = self.log.names, self.stage.copper, self.verdict
        topics = [*_reply_topics(names, self.own_topic), *map(names.dead_letters, CATALOGUE.entities), names.journal]
        evidence = Evidence(
            sent=self.sent,
            records=await everything(self.stage.servers, topics, SHARDS),
            journal=names.journal,
            accounts=self.stage.accounts,
            first=self.first,
            calls=copper.calls,
            causes=weather.causes,
            disturbances=[*mischief.done, *mischief.handovers()],
            shards=self.stage.shards,
            keyed={(account.name, entity) for account in self.stage.accounts[1::2] for entity in KEYED},
        )
        judge(verdict, evidence.cases())
        verdict.wrong["replies to nothing"] += evidence.strange
        verdict.wrong["complaints"] += self.stage.complaints()
        verdict.figures["sessions"] = len(mischief.handovers())
        most = {account.name: copper.max_calls_in_any_minute(account.name) for account in self.stage.accounts}
        verdict.figures["calls at most in any 60 s of an account"] = max(most.values())
        verdict.wrong["calls beyond the limit"] += [
            f"{name}: {count}" for name, count in most.items() if count > MOST_CALLS
        ]
        verdict.figures["calls to Copper"] = len(copper.calls)
        verdict.figures["calls answered 429"] = sum(call.status == 429 for call in copper.calls)
        verdict.figures["calls that failed"] = sum(weather.struck.values())
        verdict.figures.update({f"calls with {what}": count for what, count in sorted(weather.struck.items())})


def _reply_topics(names: TopicNames, own: str) -> list[str]:
    return [own, *map(names.replies, CATALOGUE.entities)]


async def _make_topic(servers: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, SHARDS, 1)])
    finally:
        await admin.close()


async def tried(servers: str, directory: Path, seed: int, form: Form) -> Verdict:
    """Try it, and judge."""
    instance = f"try-{uuid4().hex[:8]}"
    own = f"copper.{instance}-callers.replies"
    await _make_topic(servers, own)
    async with (
        stage(
            servers,
            instance,
            directory,
            replicas=form.replicas,
            accounts=form.accounts,
            seed=seed,
            events={"poll_every": "20s"},
            webhooks=False,
            key_fields=dict.fromkeys(KEYED, REFERENCE_NUMBER),
        ) as standing,
        producing(servers) as producer,
    ):
        trial = Trial(form, seed, standing, Log(standing.names), own)
        weather = standing.copper.faults = Weather(standing.copper.calls, trial.chance("weather"))
        mischief = Mischief(standing, trial.verdict, trial.chance("mischief"))
        await _run(trial, weather, mischief, producer)
        await trial.judge(weather, mischief)
        return trial.verdict


async def _run(trial: Trial, weather: Weather, mischief: Mischief, producer: AIOKafkaProducer) -> None:
    form, log, standing = trial.form, trial.log, trial.stage
    plans = trial.plan()
    await standing.start()
    trial.say("the bridge is ready")
    log.on_reply = lambda reply: trial.answered.add(asked(reply))
    topics = [*_reply_topics(log.names, trial.own_topic), *map(log.names.state, ENTITIES)]
    async with reader(standing.servers, topics, SHARDS) as consumer, asyncio.TaskGroup() as group:
        background = [group.create_task(follow(consumer, log)), group.create_task(trial.people())]
        assert await trial.until(lambda: len(log.state) >= len(trial.first), 90), "no snapshot"
        weather.calm = False
        trial.say("traffic begins")
        async with asyncio.TaskGroup() as traffic:
            for rows in plans:
                chance = trial.chance(f"{rows[0].account}/keys")
                traffic.create_task(send(producer, log.names, rows, chance, trial.sent))
            traffic.create_task(mischief.work(form.kills, form.pauses, form.stops, form.every_s))
        trial.say(f"traffic and mischief end, {len(trial.unanswered())} unanswered")
        if not await trial.until(lambda: not trial.unanswered(), form.patience_s):
            trial.say(f"never answered: {trial.unanswered()[:5]}")
        trial.say("all is answered")
        await asyncio.sleep(LOOK_ON_S)
        for task in background:
            task.cancel()
        await standing.working()
        await trial.stop()
