"""The flows of one account in one session of its shard, by how the account stands.

Made by `bridge.app.flows`, called by `shard.hosting` whenever an account comes or stands otherwise.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.app import webhooks
from bridge.app.pacing import following, intervals_of, told
from bridge.app.world import World, enabled
from bridge.contract.accounts import Standing
from bridge.copper.entities import ENTITIES
from bridge.policy.pacing import Pace, first, jittered
from bridge.policy.refusals import OPERATOR, Paused
from bridge.policy.sightings import Trouble, Why
from bridge.policy.subscribing import Plan
from bridge.policy.sweeps import Brake
from bridge.settings import Settings
from bridge.shard.governing import Governing
from bridge.shard.later import Later
from bridge.shard.leaving import Leaving
from bridge.shard.parts import Flow
from bridge.shard.pausing import Held, Pausing
from bridge.shard.polling import Polled, Polling
from bridge.shard.ports import Ledger
from bridge.shard.publishing import Publishing
from bridge.shard.scanning import Scanning
from bridge.shard.snapshotting import Snapshotting
from bridge.shard.sweeping import Sweeping, Swept


@dataclass(frozen=True, slots=True)
class AccountFlows:
    """What a session gives to its accounts' flows. `wake` and `wake_snapshot` are what operators wake them by."""

    world: World
    ledger: Ledger
    publishing: Publishing
    governing: Governing
    tally: defaultdict[tuple[str, str], Counter[str]]
    """Account and entity to events by path since the last watermark."""
    wake: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    wake_snapshot: defaultdict[tuple[str, str], asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )

    def of(self, account: str, standing: Standing, together: int) -> Sequence[Flow]:
        """The flows, in the order in which they are to begin. So many accounts begin together in this shard."""
        match standing:
            case Standing.CONNECTED:
                return self._all(account, together)
            case Standing.PAUSED:
                return [self._held(account)]
        return [self._leaving(account)]

    def _all(self, account: str, together: int) -> list[Flow]:
        """The pause first: the gate is as it was left before anybody calls."""
        world, copper = self.world, self.world.accounts.served[account]
        copper.take_over()
        world.observing.taken_over(account)
        settings, observing, followed = world.settings, world.observing, enabled(world.settings)
        pace = Pace({each: intervals_of(settings, each) for each in followed}, settings.copper.requests_per_minute)
        at_once = together * len(followed) * len(world.membership.owned)  # as many as the other shards of this process

        def later(flow: Flow) -> Flow:
            usual = settings.events.poll_every.total_seconds()
            return Later(flow, first(at_once, usual, random.random()))  # noqa: S311 - spread, not secrecy

        def subscribed(account: str, outcome: Plan | Trouble) -> None:
            pace.told = told(settings, outcome)
            observing.subscribed(account, outcome)

        flows: list[Flow] = [Pausing(account, copper.gate, self.ledger, self.publishing, observing.pausing)]
        for entity in followed:
            polling, snapshotting = self._followed(account, entity, following(pace, copper, entity))
            flows += [polling, later(snapshotting)]
        subscribing = webhooks.subscribing(
            world.secrets.now, world.accounts.secret, copper, self.ledger, self.publishing, subscribed
        )
        return [*flows, later(self._sweeping(account)), later(subscribing)]

    def _followed(self, account: str, entity: str, pace: Callable[[bool], float]) -> tuple[Polling, Snapshotting]:
        observing, asked, done = self.world.observing, self.wake_snapshot[account, entity], asyncio.Event()
        polled = polled_of(self.world.settings, account, entity, self._overlap)
        copper = self.world.accounts.served[account]
        scanning = Scanning(account, entity, self._overlap, copper, self.ledger, self.publishing, self.world.room)
        tally = self.tally[account, entity]
        return (
            Polling(polled, scanning, asked, done, tally, observing.polled, pace, random.random),
            Snapshotting(polled, scanning, asked, done, observing.snapshot_failed, observing.snapshot),
        )

    def _sweeping(self, account: str) -> Sweeping:
        observing = self.world.observing
        return Sweeping(
            swept(self.world.settings, account, self._overlap),
            self.world.accounts.served[account],
            self.ledger,
            self.publishing,
            self.wake[account],
            observing.announced,
            observing.holding,
        )

    def _held(self, account: str) -> Held:
        """An operator has paused it; or its token cannot be read, which comes to the same as one that does not work."""
        world, entry = self.world, self.world.accounts.connected[account]
        gate, observing = world.accounts.served[account].gate, world.observing
        if entry.standing is Standing.PAUSED:
            return Held(account, gate, Paused(OPERATOR, entry.standing_ms / 1000), observing.held_by_operator)
        return Held(account, gate, Paused(Why.UNAUTHORIZED, self.publishing.clock()), observing.pausing)

    def _leaving(self, account: str) -> Leaving:
        world, copper = self.world, self.world.accounts.served[account]
        return Leaving(
            account=account,
            gate=copper.gate,
            unsubscribe=webhooks.unsubscribing(world.settings, copper),
            waiting=lambda: world.waiting[self.publishing.shard]()[account],
            ledger=self.ledger,
            governing=self.governing,
            jitter=random.random,
            observe=world.observing.announced,
        )

    @property
    def _overlap(self) -> int:
        return int(self.world.settings.copper.overlap.total_seconds())


def swept(settings: Settings, account: str, overlap: int) -> Swept:
    """What to sweep, and how."""
    events = settings.events
    return Swept(
        account=account,
        entities=enabled(settings),
        every=jittered(events.sweep_every.total_seconds(), random.random()),  # noqa: S311 - spread, not secrecy
        index_lag=settings.copper.index_lag.total_seconds(),
        overlap=overlap,
        brake=Brake(events.hold_deletes_above, events.hold_deletes_percent),
    )


def polled_of(settings: Settings, account: str, entity: str, overlap: int) -> Polled:
    """What to poll, and how."""
    return Polled(
        account=account,
        entity=entity,
        filtered=ENTITIES[entity].modified_filter,
        every=intervals_of(settings, entity).every,
        deep_every=settings.events.deep_every.total_seconds(),
        overlap=overlap,
        backfill=settings.events.backfill == "created",
    )
