"""Leaving: an account that was disconnected, on its way out.

Its webhooks at Copper are removed and, if asked, everything that is known of its records; then it is said that it is
gone, after which nobody serves it. Its only flow while it lasts. May be cancelled at any moment and begins again: every
step may be done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.cursors import account_key, subscriptions_key
from bridge.contract.records import Outgoing
from bridge.policy import outcomes
from bridge.policy.sightings import Trouble, Why
from bridge.shard.governing import Governing
from bridge.shard.ports import Draft, Gate, Ledger

AT_ONCE = 500
"""Tombstones in one transaction."""
HOPELESS = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN})
"""With a token that is no longer good nothing can be removed at Copper: whoever revoked it has to."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The flow. `unsubscribe` removes the account's webhooks, given the ids of those we made; `jitter` is in [0, 1)."""

    account: str
    forget: bool
    gate: Gate
    unsubscribe: Callable[[Collection[int]], Awaitable[object | Trouble]]
    ledger: Ledger
    governing: Governing
    jitter: Callable[[], float]
    observe: Callable[[Announcement], None]

    async def run(self) -> None:
        """Leave, then wait to be ended."""
        self.gate.open()  # an operator's pause, or refused credentials, would hold it for ever
        webhooks = await self._unsubscribed()
        tombstones = await self._forgotten() if self.forget else 0
        await self._gone({"webhooks": webhooks, "tombstones": tombstones})
        await asyncio.Event().wait()

    async def _unsubscribed(self) -> str:
        key, failures = subscriptions_key(self.account), 0
        while True:
            kept = self.governing.publishing.memory.known.cursor(key)
            answer = await self.unsubscribe(() if kept is None else tuple(kept["ids"]))
            if not isinstance(answer, Trouble) or answer.why in HOPELESS:
                await self._remove(self.governing.publishing.names.cursors, [key])
                return "left" if isinstance(answer, Trouble) else "removed"
            await asyncio.sleep(outcomes.pause(failures, self.jitter()))
            failures += 1

    async def _forgotten(self) -> int:
        """Nothing of the account's is known any more: its records, and how far they had been read."""
        known, names, count = self.governing.publishing.memory.known, self.governing.publishing.names, 0
        for entity in CATALOGUE.followed:
            while keys := known.records_of(entity, self.account, AT_ONCE):
                await self._remove(names.state(entity), keys)
                count += len(keys)
        own = account_key(self.account)  # it says that this is to be done, and goes last
        await self._remove(names.cursors, [key for key in known.cursors_of(self.account) if key != own])
        return count

    async def _remove(self, topic: str, keys: Collection[str]) -> None:
        shard = self.governing.publishing.shard

        def write(draft: Draft) -> None:
            for key in keys:
                draft.add(Outgoing(topic, shard, key.encode(), None))

        await self.ledger.commit(write)

    async def _gone(self, data: dict[str, object]) -> None:
        publishing = self.governing.publishing
        told = Announcement(Told.ACCOUNT_DISCONNECTED, self.account, round(publishing.clock() * 1000), data=data)

        def write(draft: Draft) -> None:
            self.governing.remove(draft, self.account)
            draft.add(announcement_record(told, publishing.names, publishing.shard))

        await self.ledger.commit(write)
        self.observe(told)
