"""The flows of one account in one session of its shard, by how the account stands.

Made by `bridge.app.flows`, called by `shard.hosting` whenever an account comes or stands otherwise.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.app.webhooks import subscribing, unsubscribing
from bridge.app.world import World, enabled
from bridge.contract.accounts import Standing
from bridge.copper.entities import ENTITIES
from bridge.policy.sweeps import Brake
from bridge.settings import Settings
from bridge.shard.governing import Governing
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

    def of(self, account: str, standing: Standing) -> Sequence[Flow]:
        """The flows, in the order in which they are to begin."""
        match standing:
            case Standing.CONNECTED:
                return self._all(account)
            case Standing.PAUSED:
                return [self._held(account)]
        return [self._leaving(account)]

    def _all(self, account: str) -> list[Flow]:
        """The pause first: the gate is as it was left before anybody calls."""
        world, copper = self.world, self.world.accounts.served[account]
        copper.take_over()
        world.observing.taken_over(account)
        followed = enabled(world.settings)
        return [
            Pausing(account, copper.gate, self.ledger, self.publishing, world.observing.pausing),
            *(flow for entity in followed for flow in self._followed(account, entity)),
            Sweeping(
                swept(world.settings, account, self._overlap),
                copper,
                self.ledger,
                self.publishing,
                self.wake[account],
                world.observing.announced,
                world.observing.holding,
            ),
            subscribing(
                world.secrets.now,
                world.accounts.secret,
                copper,
                self.ledger,
                self.publishing,
                world.observing.subscribed,
            ),
        ]

    def _followed(self, account: str, entity: str) -> list[Flow]:
        observing, asked, done = self.world.observing, self.wake_snapshot[account, entity], asyncio.Event()
        polled = polled_of(self.world.settings, account, entity, self._overlap)
        copper = self.world.accounts.served[account]
        scanning = Scanning(account, entity, self._overlap, copper, self.ledger, self.publishing)
        return [
            Polling(polled, scanning, asked, done, self.tally[account, entity], observing.polled),
            Snapshotting(polled, scanning, asked, done, observing.snapshot_failed, observing.snapshot),
        ]

    def _held(self, account: str) -> Held:
        world = self.world
        since = world.accounts.connected[account].standing_ms / 1000
        return Held(account, world.accounts.served[account].gate, since, world.observing.held_by_operator)

    def _leaving(self, account: str) -> Leaving:
        world, copper = self.world, self.world.accounts.served[account]
        return Leaving(
            account=account,
            forget=world.accounts.connected[account].forget,
            gate=copper.gate,
            unsubscribe=unsubscribing(world.settings, copper),
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
        every=events.sweep_every.total_seconds(),
        index_lag=settings.copper.index_lag.total_seconds(),
        overlap=overlap,
        brake=Brake(events.hold_deletes_above, events.hold_deletes_percent),
    )


def polled_of(settings: Settings, account: str, entity: str, overlap: int) -> Polled:
    """What to poll, and how."""
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
