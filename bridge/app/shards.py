"""Owned shards: a session task for each, made of all the parts that work in it.

Called by `app.running`. Starts what membership says is ours and stops what is ours no more.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.app.observing import Observing
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames, topic_specs
from bridge.copper.client import CopperAccount
from bridge.copper.entities import ENTITIES
from bridge.kafka.addresses import Addresses
from bridge.kafka.changelog import Changelog
from bridge.kafka.connection import Connection
from bridge.kafka.intake import Intake
from bridge.kafka.ledger import Ledger
from bridge.kafka.membership import Membership
from bridge.kafka.watermarks import Watermarks
from bridge.policy.sessions import Ending
from bridge.policy.settling import Waits
from bridge.policy.sweeps import Brake
from bridge.settings import Settings
from bridge.shard.attempting import Attempting
from bridge.shard.concluding import Concluding
from bridge.shard.controlling import Controlled, Controlling
from bridge.shard.executing import Executing, Served
from bridge.shard.memory import Memory
from bridge.shard.noticing import Noticing
from bridge.shard.polling import Polled, Polling
from bridge.shard.ports import Ledger as LedgerPort
from bridge.shard.publishing import Publishing
from bridge.shard.session import Flow, Flows, Parts, Retention, own
from bridge.shard.sweeping import Sweeping, Swept

FOLLOWED = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))


@dataclass(frozen=True, slots=True)
class World:
    """What all shards share."""

    settings: Settings
    names: TopicNames
    cluster: str
    connection: Connection
    watermarks: Watermarks
    intake: Intake
    inputs: Sequence[str]
    membership: Membership
    addresses: Addresses
    accounts: Mapping[str, CopperAccount]
    subscribing: Callable[[str], Flow | None]
    observing: Observing


class Shards:
    """The sessions of this process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.open: set[int] = set()
        self.changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep one task per owned shard until asked to stop; then let them drain."""
        membership = self._world.membership
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop.wait())
            while not stop.is_set():
                membership.changed.clear()
                await self._follow(group, stop)
                changing = group.create_task(membership.changed.wait())
                await asyncio.wait([stopping, changing, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
                changing.cancel()

    async def _follow(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Start what is missing, stop what is lost."""
        self._tasks = {shard: task for shard, task in self._tasks.items() if not task.done()}
        owned = self._world.membership.owned
        lost = {shard: task for shard, task in self._tasks.items() if shard not in owned}
        for task in lost.values():
            task.cancel()
        if lost:
            await asyncio.wait(lost.values())
        for shard in owned - self._tasks.keys():
            self._tasks[shard] = group.create_task(self._own(shard, stop), name=f"shard {shard}")

    async def _own(self, shard: int, stop: asyncio.Event) -> None:
        memory = _memory(self._world, shard)
        try:
            await own(self._parts(shard, memory), stop)
        finally:
            self.open.discard(shard)
            memory.close()

    def _parts(self, shard: int, memory: Memory) -> Parts:
        world, observing = self._world, self._world.observing
        topics = tuple(_changelog_topics(world.names))

        def ledger(intact: Callable[[], Awaitable[bool]]) -> Ledger:
            name = f"{world.settings.instance}.{shard}"
            return Ledger(world.connection, name, shard, memory, renewed=intact, observe=observing.committed)

        def opened(number: int) -> None:
            self.open.add(number)
            self.changed.set()
            observing.session_opened(number)

        def ended(number: int, how: Ending, detail: str) -> None:
            self.open.discard(number)
            self.changed.set()
            observing.session_ended(number, how, detail)

        return Parts(
            shard=shard,
            memory=memory,
            ledger=ledger,
            changelog=Changelog(world.connection, world.watermarks, topics, shard),
            intake=world.intake,
            input_ends=lambda: world.watermarks.ends(world.inputs, shard),
            membership=world.membership,
            flows=lambda writing, fenced_at: _flows(world, shard, memory, writing, fenced_at),
            retention=_retention(world.names),
            clock=time.time,
            opened=opened,
            ended=ended,
        )


def _flows(world: World, shard: int, memory: Memory, ledger: LedgerPort, fenced_at: float) -> Flows:
    settings, observing = world.settings, world.observing
    publishing = Publishing(memory, world.names, shard, time.time, observing.judged)
    overlap = int(settings.copper.overlap.total_seconds())
    mine = [name for name in world.accounts if shard_of(name, settings.topics.partitions) == shard]
    for name in mine:
        world.accounts[name].take_over()
    polling = [
        Polling(
            _polled(settings, name, entity, overlap),
            world.accounts[name],
            ledger,
            publishing,
            observing.polled,
            observing.followed,
        )
        for name in mine
        for entity in FOLLOWED
        if settings.events.of(entity).enabled
    ]
    attempting = Attempting(
        coppers=world.accounts,
        ledger=ledger,
        publishing=publishing,
        waits=_waits(settings),
        allow_delete=settings.commands.allow_delete,
        fenced_at=fenced_at,
        jitter=random.random,
        slots={name: asyncio.Semaphore(settings.commands.max_in_flight) for name in mine},
    )
    concluding = Concluding(ledger, publishing, world.addresses, overlap, observing.answered, observing.buried)
    served = Served(world.accounts, settings.topics.partitions, settings.replies.allowed)
    executing = Executing(served, world.intake, attempting, concluding, observing.unexpected)
    index_lag = settings.copper.index_lag.total_seconds()
    noticing = Noticing(world.accounts, overlap, index_lag, ledger, publishing, world.intake, observing.unexpected)
    wake = {name: asyncio.Event() for name in mine}
    sweeping = [
        Sweeping(
            _swept(settings, name, overlap),
            world.accounts[name],
            ledger,
            publishing,
            wake[name],
            observing.announced,
            observing.holding,
        )
        for name in mine
    ]
    followed = _followed(settings)
    controlled = Controlled([*world.accounts], followed, settings.topics.partitions, wake, {})
    controlling = Controlling(controlled, ledger, publishing, observing.announced)
    subscribing = [flow for name in mine if (flow := world.subscribing(name))]
    return Flows(plain=[*polling, *sweeping, *subscribing], inlets=[executing, noticing, controlling])


def _followed(settings: Settings) -> list[str]:
    return [entity for entity in FOLLOWED if settings.events.of(entity).enabled]


def _swept(settings: Settings, account: str, overlap: int) -> Swept:
    events = settings.events
    return Swept(
        account=account,
        entities=_followed(settings),
        every=events.sweep_every.total_seconds(),
        index_lag=settings.copper.index_lag.total_seconds(),
        overlap=overlap,
        brake=Brake(events.hold_deletes_above, events.hold_deletes_percent),
    )


def _polled(settings: Settings, account: str, entity: str, overlap: int) -> Polled:
    every = settings.events.of(entity).poll_every or settings.events.poll_every
    return Polled(
        account=account,
        entity=entity,
        filtered=ENTITIES[entity].modified_filter,
        every=every.total_seconds(),
        deep_every=settings.events.deep_every.total_seconds(),
        overlap=overlap,
        backfill=settings.events.backfill == "created",
    )


def _waits(settings: Settings) -> Waits:
    copper = settings.copper
    return Waits(copper.timeout.total_seconds(), copper.lateness.total_seconds(), copper.index_lag.total_seconds())


def _memory(world: World, shard: int) -> Memory:
    settings = world.settings
    identity = {
        "cluster": world.cluster,
        "instance": settings.instance,
        "prefix": settings.topics.prefix,
        "partitions": str(settings.topics.partitions),
        "shard": str(shard),
    }
    path = Path(settings.state.dir) / f"shard-{shard}.sqlite"
    return Memory(path, identity, _changelog_topics(world.names), time.time)


def _changelog_topics(names: TopicNames) -> dict[str, tuple[str, str]]:
    states = {names.state(entity): ("state", entity) for entity in FOLLOWED}
    return {**states, names.cursors: ("cursor", ""), names.journal: ("journal", "")}


def _retention(names: TopicNames) -> Retention:
    config = {spec.name: spec.config for spec in topic_specs(names)}
    journal, cursors = config[names.journal], config[names.cursors]
    return Retention(int(journal["retention.ms"]) / 1000, int(cursors["delete.retention.ms"]) / 1000)
