"""The flows of an owned shard, made of what the process shares, for one session.

Called by `app.shards` for every session; the only place that knows which part needs which setting.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict

from bridge.app.webhooks import subscribing
from bridge.app.world import FOLLOWED, World, enabled
from bridge.contract.events import Change, ChangeClass
from bridge.contract.sharding import shard_of
from bridge.contract.signing import SigningKeys
from bridge.copper.entities import ENTITIES
from bridge.policy.changes import Verdict
from bridge.policy.fields import FieldPolicy
from bridge.policy.permissions import Permissions
from bridge.policy.settling import Waits
from bridge.policy.sightings import Via
from bridge.policy.sweeps import Brake
from bridge.settings import Settings
from bridge.shard.attempting import Attempting
from bridge.shard.concluding import Concluding
from bridge.shard.controlling import Controlled, Controlling
from bridge.shard.executing import Executing, Served
from bridge.shard.memory import Memory
from bridge.shard.naming import Naming
from bridge.shard.noticing import Noticing
from bridge.shard.parts import Flow, Flows
from bridge.shard.pausing import Pausing
from bridge.shard.polling import Polled, Polling
from bridge.shard.ports import Ledger as LedgerPort
from bridge.shard.publishing import Publishing
from bridge.shard.scanning import Scanning
from bridge.shard.settling import Settling
from bridge.shard.snapshotting import Snapshotting
from bridge.shard.sweeping import Sweeping, Swept
from bridge.shard.turns import Turns


def flows(world: World, shard: int, memory: Memory, ledger: LedgerPort, fenced_at: float) -> Flows:
    """Everything that works in a session, for a new ledger and the moment of the fence (loop time)."""
    settings, observing = world.settings, world.observing
    tally: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def judged(entity: str, via: Via, verdict: Verdict) -> None:
        observing.judged(entity, via, verdict)
        if isinstance(verdict, Change):
            tally[verdict.account, entity][via.value] += 1

    dropped = frozenset(map(ChangeClass, settings.events.drop))
    publishing = Publishing(
        memory, world.names, shard, time.time, judged, dropped, _fields(settings), observing.announced
    )
    overlap = int(settings.copper.overlap.total_seconds())
    mine = [name for name in world.accounts if shard_of(name, settings.topics.partitions) == shard]
    for name in mine:
        world.accounts[name].take_over()
        observing.taken_over(name)
    followed = enabled(settings)
    wake_snapshot = {(name, entity): asyncio.Event() for name in mine for entity in followed}
    polling: list[Flow] = []
    for (name, entity), asked in wake_snapshot.items():
        polled, done = _polled(settings, name, entity, overlap), asyncio.Event()
        scanning = Scanning(name, entity, overlap, world.accounts[name], ledger, publishing, world.room)
        polling.append(Polling(polled, scanning, asked, done, tally[name, entity], observing.polled))
        polling.append(Snapshotting(polled, scanning, asked, done, observing.snapshot_failed, observing.snapshot))
    attempting = Attempting(
        coppers=world.accounts,
        ledger=ledger,
        publishing=publishing,
        settling=Settling(publishing, _waits(settings), random.random),
        key_fields={name: settings.accounts[name].key_fields for name in mine},
        permissions=_permissions(settings),
        fenced_at=fenced_at,
        jitter=random.random,
        naming=Naming(world.accounts, time.time, random.random),
        turns={name: Turns(settings.commands.max_in_flight) for name in mine},
        tracing=world.tracing,
    )
    concluding = Concluding(
        ledger, publishing, world.addresses, overlap, observing.answered, observing.buried, world.tracing
    )
    served = Served(
        world.accounts, settings.topics.partitions, settings.replies.allowed, lambda: _keys(world.secrets.now())
    )
    executing = Executing(served, world.intake, attempting, concluding, observing.unexpected, world.tracing)
    world.waiting[shard] = executing.waiting
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
    pausing = [Pausing(name, world.accounts[name].gate, ledger, publishing, observing.pausing) for name in mine]
    controlled = Controlled([*world.accounts], followed, settings.topics.partitions, wake, wake_snapshot)
    controlling = Controlling(controlled, ledger, publishing, observing.announced)
    subscriptions = [
        subscribing(world.secrets.now, world.accounts[name], ledger, publishing, observing.subscribed) for name in mine
    ]
    # Pauses first: gates are as they were left before anybody calls.
    return Flows(plain=[*pausing, *polling, *sweeping, *subscriptions], inlets=[executing, noticing, controlling])


def _fields(settings: Settings) -> dict[str, FieldPolicy]:
    """Entity to its field policy, for those that have one."""
    key = settings.events.hash_key
    secret = b"" if key is None else key.get_secret_value().encode()
    policies = {}
    for entity in FOLLOWED:
        fields = settings.events.of(entity).fields
        allow = None if fields.allow is None else frozenset(fields.allow)
        policies[entity] = FieldPolicy(allow, frozenset(fields.deny), frozenset(fields.hash), secret)
    return {entity: policy for entity, policy in policies.items() if policy != FieldPolicy(key=secret)}


def _swept(settings: Settings, account: str, overlap: int) -> Swept:
    events = settings.events
    return Swept(
        account=account,
        entities=enabled(settings),
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


def _permissions(settings: Settings) -> Permissions:
    own = {name: account.commands_allowed for name, account in settings.accounts.items()}
    narrowed = {name: patterns for name, patterns in own.items() if patterns is not None}
    return Permissions(settings.commands.allowed, narrowed, settings.commands.allow_delete)


def _keys(settings: Settings) -> SigningKeys:
    secrets = settings.commands.signing_keys
    return SigningKeys({name: secret.get_secret_value().encode() for name, secret in secrets.items()})


def _waits(settings: Settings) -> Waits:
    copper = settings.copper
    return Waits(copper.timeout.total_seconds(), copper.lateness.total_seconds(), copper.index_lag.total_seconds())
