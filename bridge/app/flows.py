"""The flows of an owned shard, made of what the process shares, for one session.

Called by `app.shards` for every session; the only place that knows which part needs which setting.
"""

import random
import time
from collections import Counter, defaultdict

from bridge.app.account_flows import AccountFlows
from bridge.app.world import FOLLOWED, World, enabled
from bridge.contract.accounts import Standing
from bridge.contract.events import Change, ChangeClass
from bridge.contract.signing import SigningKeys
from bridge.policy.changes import Verdict
from bridge.policy.fields import FieldPolicy
from bridge.policy.permissions import Permissions
from bridge.policy.settling import Waits
from bridge.policy.sightings import Via
from bridge.settings import Settings
from bridge.shard.attempting import Attempting
from bridge.shard.concluding import Concluding
from bridge.shard.controlling import Controlled, Controlling
from bridge.shard.executing import Executing, Served
from bridge.shard.governing import Governing
from bridge.shard.hosting import Hosting
from bridge.shard.memory import Memory
from bridge.shard.naming import Naming
from bridge.shard.noticing import Noticing
from bridge.shard.parts import Flows
from bridge.shard.ports import Ledger as LedgerPort
from bridge.shard.publishing import Publishing
from bridge.shard.resealing import Resealing
from bridge.shard.settling import Settling
from bridge.shard.turns import Turns


def flows(world: World, shard: int, memory: Memory, ledger: LedgerPort, fenced_at: float) -> Flows:
    """Everything that works in a session, for a new ledger and the moment of the fence (loop time)."""
    settings, observing, accounts = world.settings, world.observing, world.accounts
    tally: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def judged(entity: str, via: Via, verdict: Verdict) -> None:
        observing.judged(entity, via, verdict)
        if isinstance(verdict, Change):
            tally[verdict.account, entity][via.value] += 1

    dropped = frozenset(map(ChangeClass, settings.events.drop))
    publishing = Publishing(
        memory, world.names, shard, time.time, judged, dropped, _fields(settings), observing.announced
    )
    partitions = settings.topics.partitions
    governing = Governing(accounts.fixed, partitions, publishing)
    of_account = AccountFlows(world, ledger, publishing, governing, tally)

    def hosted() -> dict[str, Standing]:
        return accounts.hosted(shard, partitions)

    hosting = Hosting(hosted, of_account.of, accounts.watched())
    resealing = Resealing(hosted, accounts.resealed, accounts.watched(), ledger, governing)
    overlap = int(settings.copper.overlap.total_seconds())
    attempting = Attempting(
        coppers=accounts.served,
        ledger=ledger,
        publishing=publishing,
        settling=Settling(publishing, _waits(settings), random.random),
        key_fields={name: account.key_fields for name, account in settings.accounts.items()},
        permissions=_permissions(settings),
        fenced_at=fenced_at,
        jitter=random.random,
        naming=Naming(accounts.served, time.time, random.random),
        turns=defaultdict(lambda: Turns(settings.commands.max_in_flight)),
        tracing=world.tracing,
    )
    concluding = Concluding(
        ledger, publishing, world.addresses, overlap, observing.answered, observing.buried, world.tracing
    )
    served = Served(accounts.commanded, partitions, settings.replies.allowed, lambda: _keys(world.secrets.now()))
    executing = Executing(served, world.intake, attempting, concluding, observing.unexpected, world.tracing)
    world.waiting[shard] = executing.waiting
    index_lag = settings.copper.index_lag.total_seconds()
    noticing = Noticing(accounts.commanded, overlap, index_lag, ledger, publishing, world.intake, observing.unexpected)
    controlled = Controlled(
        accounts.served.keys(), enabled(settings), partitions, of_account.wake, of_account.wake_snapshot, governing
    )
    controlling = Controlling(controlled, ledger, publishing, observing.announced)
    return Flows(plain=[hosting, resealing], inlets=[executing, noticing, controlling])


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
