"""A shard with everything in memory around it, and what a test says and asks about it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.contract.announcements import Announcement
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, encode
from bridge.contract.events import Change, ChangeClass
from bridge.contract.failures import Code
from bridge.contract.notices import Notice, notice_record
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.replies import Reply
from bridge.contract.sharding import shard_of
from bridge.contract.signing import NO_KEYS, SigningKeys
from bridge.contract.topics import TopicNames
from bridge.policy.changes import Verdict
from bridge.policy.fields import FieldPolicy
from bridge.policy.permissions import Permissions
from bridge.policy.scans import REACHABLE
from bridge.policy.sessions import Ending
from bridge.policy.settling import Waits
from bridge.policy.sightings import Trouble, Via
from bridge.policy.sweeps import Brake, Held
from bridge.shard.attempting import Attempting
from bridge.shard.concluding import Concluding
from bridge.shard.controlling import Controlled, Controlling
from bridge.shard.executing import Executing, Served
from bridge.shard.governing import Governing
from bridge.shard.memory import Memory
from bridge.shard.naming import Naming
from bridge.shard.noticing import Noticing
from bridge.shard.parts import Flow, Flows, Inlet, Parts, Retention
from bridge.shard.polling import Polled, Polling, Scanned
from bridge.shard.ports import Copper, Ledger
from bridge.shard.publishing import Publishing
from bridge.shard.room import Room
from bridge.shard.scanning import Scanning
from bridge.shard.settling import Settling
from bridge.shard.snapshotting import Snapshotting, Taken
from bridge.shard.sweeping import Sweeping, Swept
from bridge.shard.turns import Turns
from bridge.telemetry.traces import Server, Tracing
from tests.unit.shard.copper import CopperInMemory
from tests.unit.shard.endings import Endings, Pulse
from tests.unit.shard.log import (
    ChangelogInMemory,
    IntakeInMemory,
    LedgerInMemory,
    Log,
    MembershipInMemory,
    RepliesInMemory,
)

NAMES = TopicNames()
ACCOUNT = "acme"
PARTITIONS = 4
SHARD = shard_of(ACCOUNT, PARTITIONS)
OTHER = "globex"
"""An account of another shard."""
EPOCH = 1_790_000_000
WAITS = Waits(timeout=20.0, lateness=60.0, index_lag=120.0)
OVERLAP = 120
ANYTHING = Permissions()
FOLLOWED = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))
TOPICS = {
    **{NAMES.state(entity): ("state", entity) for entity in FOLLOWED},
    NAMES.cursors: ("cursor", ""),
    NAMES.journal: ("journal", ""),
}


@dataclass(frozen=True)
class Answered:
    """A reply that was read back. `at` is Unix seconds."""

    record: Incoming
    status: str
    code: str | None
    value: dict[str, Any]
    at: float

    @property
    def offset(self) -> int:
        """Of the command that it answers."""
        return int(self.value["command"]["offset"])


@dataclass(frozen=True)
class Both:
    """Two flows as one."""

    one: Flow
    other: Flow

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.one.run())
            group.create_task(self.other.run())


class Stage:
    """One life of a shard; with `before`, another one in the same world: clock, log and Copper are that one's."""

    def __init__(self, folder: Path, before: "Stage | None" = None, endings: Endings | None = None) -> None:
        began = asyncio.get_running_loop().time()
        self.clock: Callable[[], float] = lambda: EPOCH - began + asyncio.get_running_loop().time()
        self.pulse = Pulse()
        if before is not None:
            self.clock, self.pulse = before.clock, before.pulse
        self.endings = endings or Endings(self.pulse)
        self.log: Log = Log(SHARD, self.clock, self.pulse) if before is None else before.log
        self.memory = Memory(folder / "shard.sqlite", {"shard": str(SHARD)}, TOPICS, self.clock)
        fresh = CopperInMemory(self.clock, self.pulse, self.endings)
        self.copper: CopperInMemory = fresh if before is None else before.copper
        self.copper.endings = self.endings
        self.ledger = LedgerInMemory(self.log, self.memory, self.endings)
        self.intake = IntakeInMemory(self.log)
        self.replies = RepliesInMemory()
        self.changelog = ChangelogInMemory(self.log, list(TOPICS))
        self.membership = MembershipInMemory()
        self.verdicts: list[tuple[str, Via, Verdict]] = []
        self.answered: list[tuple[Command | Malformed, Reply]] = []
        self.buried: list[Code] = []
        self.unexpected: list[BaseException] = []
        self.scans: list[Trouble | None] = []
        self.scanned: list[Scanned] = []
        self.taken: list[Taken] = []
        self.tally: Counter[str] = Counter()
        self.followed: list[str] = []
        self.told: list[Announcement] = []
        self.held: Held | None = None
        self.sweep_asked = asyncio.Event()
        self.snapshot_asked = asyncio.Event()
        self.fields: Mapping[str, FieldPolicy] = {}
        self.key_fields: Mapping[str, int] = {}
        self.dropped: Collection[ChangeClass] = ()
        self.tracing = Tracing(Server("copper.example", 443))
        self.opened = 0
        self.ended: list[tuple[Ending, str, float]] = []
        """How each session ended, and when, loop time."""

    # ------------------------------------------------------------------------------------------------ flows

    def publishing(self) -> Publishing:
        def observe(entity: str, via: Via, verdict: Verdict) -> None:
            self.verdicts.append((entity, via, verdict))
            if isinstance(verdict, Change):
                self.tally[via.value] += 1

        return Publishing(self.memory, NAMES, SHARD, self.clock, observe, self.dropped, self.fields, self.told.append)

    def executing(
        self,
        ledger: Ledger | None = None,
        *,
        permissions: Permissions = ANYTHING,
        keys: SigningKeys = NO_KEYS,
        fenced_at: float | None = None,
        at_once: int = 16,
        accounts: Sequence[str] = (ACCOUNT,),
        coppers: Mapping[str, Copper] | None = None,
    ) -> Executing:
        ledger, publishing = ledger or self.ledger, self.publishing()
        coppers = coppers or dict.fromkeys(accounts, self.copper)
        attempting = Attempting(
            coppers=coppers,
            ledger=ledger,
            publishing=publishing,
            settling=Settling(publishing, WAITS, lambda: 0.0),
            key_fields={ACCOUNT: self.key_fields},
            permissions=permissions,
            fenced_at=asyncio.get_running_loop().time() if fenced_at is None else fenced_at,
            jitter=lambda: 0.0,
            naming=Naming(coppers, self.clock, lambda: 0.0),
            turns={name: Turns(at_once) for name in (ACCOUNT, *coppers)},
            tracing=self.tracing,
        )

        def answered(command: Command | Malformed, reply: Reply) -> None:
            self.answered.append((command, reply))
            self.pulse.beat()

        concluding = Concluding(ledger, publishing, self.replies, OVERLAP, answered, self.buried.append, self.tracing)
        served = Served(coppers, PARTITIONS, ("copper.*.replies", "*.copper-replies"), lambda: keys)
        return Executing(served, self.intake, attempting, concluding, self.unexpected.append, self.tracing)

    def polling(
        self,
        entity: str = "company",
        ledger: Ledger | None = None,
        *,
        every: float = 15.0,
        deep_every: float = 300.0,
        backfill: bool = False,
        reach: int = REACHABLE,
        pace: Callable[[bool], float] | None = None,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> "Both":
        """Snapshots and polls of one entity, as they work together."""
        filtered = entity not in {"company", "person"}
        polled = Polled(ACCOUNT, entity, filtered, every, deep_every, OVERLAP, backfill, reach)
        followed = asyncio.Event()

        def observe(_polled: Polled, scanned: Scanned) -> None:
            self.scans.append(scanned.trouble)
            self.scanned.append(scanned)
            self.pulse.beat()

        def taken(how_far: Taken) -> None:
            self.taken.append(how_far)
            if how_far.done:
                self.followed.append(entity)
            self.pulse.beat()

        publishing = self.publishing()
        scanning = Scanning(ACCOUNT, entity, OVERLAP, self.copper, ledger or self.ledger, publishing, Room(1))
        return Both(
            Snapshotting(
                polled,
                scanning,
                self.snapshot_asked,
                followed,
                lambda each, trouble: observe(each, Scanned(trouble)),
                taken,
            ),
            Polling(
                polled,
                scanning,
                self.snapshot_asked,
                followed,
                self.tally,
                observe,
                pace or (lambda _found: every),
                chance,
            ),
        )

    def noticing(self, ledger: Ledger | None = None) -> Noticing:
        ledger, lag = ledger or self.ledger, WAITS.index_lag
        coppers = {ACCOUNT: self.copper}
        return Noticing(coppers, OVERLAP, lag, ledger, self.publishing(), self.intake, self.unexpected.append)

    def sweeping(
        self,
        *entities: str,
        every: float = 21_600.0,
        most: int = 500,
        percent: float = 10.0,
        asked: asyncio.Event | None = None,
    ) -> Sweeping:
        swept = Swept(ACCOUNT, entities or FOLLOWED, every, WAITS.index_lag, OVERLAP, Brake(most, percent))

        def announced(told: Announcement) -> None:
            self.told.append(told)
            self.pulse.beat()

        def holding(_account: str, held: Held | None) -> None:
            self.held = held
            self.pulse.beat()

        wake = asked or self.sweep_asked
        return Sweeping(swept, self.copper, self.ledger, self.publishing(), wake, announced, holding)

    def controlling(self, *entities: str) -> Controlling:
        wake = {(ACCOUNT, each): self.snapshot_asked for each in entities or FOLLOWED}
        publishing = self.publishing()
        governing = Governing([OTHER], PARTITIONS, publishing)
        controlled = Controlled(
            [ACCOUNT, OTHER], entities or FOLLOWED, PARTITIONS, {ACCOUNT: self.sweep_asked}, wake, governing
        )
        return Controlling(controlled, self.ledger, publishing, self.told.append)

    @asynccontextmanager
    async def at_work(self, *inlets: Inlet, plain: Sequence[Flow] = ()) -> AsyncGenerator[asyncio.Event]:
        """The flows at work; setting the event, or leaving, stops them as a session does."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self.ledger.run())
            reading = [group.create_task(flow.run()) for flow in plain]
            taking = [group.create_task(inlet.run(stop)) for inlet in inlets]
            await asyncio.sleep(0)
            self.intake.open(
                SHARD,
                lambda: {topic: next_ for inlet in inlets for topic, next_ in inlet.positions().items()},
                {topic: sink for inlet in inlets for topic, sink in inlet.sinks().items()},
            )
            yield stop
            stop.set()
            self.intake.close(SHARD)
            for task in reading:
                task.cancel()
            if taking:
                await asyncio.wait(taking)
            await self.ledger.drained()
            writing.cancel()
        self.ledger = LedgerInMemory(self.log, self.memory, self.endings)

    async def until(self, fact: Callable[[], object], within: float = 100_000.0) -> None:
        await self.pulse.until(fact, within)

    def parts(self, flows: Callable[[Ledger, float], Flows]) -> Parts:
        """What a session over this stage is made of. A ledger that is made becomes the stage's."""

        def ledger(_intact: Callable[[], Awaitable[bool]]) -> LedgerInMemory:
            self.ledger = LedgerInMemory(self.log, self.memory, self.endings)
            return self.ledger

        def ended(_shard: int, how: Ending, detail: str) -> None:
            self.ended.append((how, detail, asyncio.get_running_loop().time()))
            self.pulse.beat()

        def opened(_shard: int) -> None:
            self.opened += 1
            self.pulse.beat()

        return Parts(
            shard=SHARD,
            memory=self.memory,
            ledger=ledger,
            changelog=self.changelog,
            intake=self.intake,
            input_ends=self._input_ends,
            membership=self.membership,
            flows=flows,
            retention=Retention(journal=30 * 86400.0, tombstones=7 * 86400.0),
            clock=self.clock,
            opened=opened,
            ended=ended,
        )

    async def _input_ends(self) -> Mapping[str, int]:
        await asyncio.sleep(0)
        return {topic: self.log.end(topic) for topic in [*map(NAMES.commands, CATALOGUE.entities), NAMES.inbox]}

    # ------------------------------------------------------------------------------------------------ speaking

    def send(self, action: str, entity: str = "company", *, key: bytes | None = b"acme", **members: Any) -> Position:
        """A command, as a caller puts it there."""
        value, headers = encode(action, **members)
        return self.put(NAMES.commands(entity), value, headers, key=key)

    def put(self, topic: str, value: bytes | None, headers: Headers = (), *, key: bytes | None = b"acme") -> Position:
        """Any record in our partition."""
        return self.log.put(Outgoing(topic, SHARD, key, value, headers))

    def ask(
        self, asked: str, entity: str | None = None, *, account: str = ACCOUNT, name: str = "c-1", **more: str
    ) -> Position:
        """A control message, as an operator writes it."""
        about = {} if entity is None else {"entity": entity}
        value = {"id": name, "type": asked, "account": account, **about, **more}
        return self.put(NAMES.control, orjson.dumps(value))

    def notify(self, event: str, *ids: int, entity: str = "company", account: str = ACCOUNT) -> Position:
        """A webhook notice, as the public side keeps it."""
        notice = Notice(account, entity, event, ids, round(self.clock() * 1000))
        record = notice_record(notice, NAMES, PARTITIONS)
        return self.put(record.topic, record.value)

    # ------------------------------------------------------------------------------------------------ asking

    def replied(self, entity: str = "company", topic: str | None = None) -> list[Answered]:
        """The replies, in the order of the log."""
        return [_answered(record) for record in self.log.of(topic or NAMES.replies(entity))]

    def events(self, kind: str = "changes", entity: str = "company") -> list[dict[str, Any]]:
        """The events of a topic, in order."""
        return [orjson.loads(record.value or b"null") for record in self.log.of(NAMES.event(entity, kind))]

    def announced(self) -> list[dict[str, Any]]:
        """What operators were told, in order."""
        return [orjson.loads(record.value or b"null") for record in self.log.of(NAMES.notifications)]

    def cursor(self, key: str) -> Any:
        return self.memory.known.cursor(key)

    def journal(self) -> list[tuple[str, str]]:
        """Command id and state of each entry."""
        entries = self.log.of(NAMES.journal)
        return [((record.key or b"").decode().partition("/")[2], _state(record)) for record in entries]

    def called(self, method: str) -> list[Any]:
        """What the calls of one kind were about."""
        return [call.about for call in self.copper.made(method)]


def _state(record: Incoming) -> str:
    return str(orjson.loads(record.value or b"null")["state"])


def _answered(record: Incoming) -> Answered:
    value = orjson.loads(record.value or b"null")
    code = None if value["error"] is None else value["error"]["type"]
    return Answered(record, value["status"], code, value, record.timestamp_ms / 1000)
