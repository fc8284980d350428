"""Subscribing: Copper's webhook subscriptions of one account kept equal to the wanted set.

Called by the shard session, so that only the owner of an account touches its subscriptions. How they are compared and
changed is the function it is given; this flow is the clock, and remembers which ones we made: that is how one that
somebody pointed elsewhere is known, and one of an address that we no longer have.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from bridge.contract.cursors import subscriptions_key
from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan, Synced
from bridge.shard.cursors import cursor_record
from bridge.shard.ports import Draft, Ledger
from bridge.shard.publishing import Publishing

AFTER_TROUBLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Subscribing:
    """The flow for one account. `every` is in seconds; `observe` gets every outcome.

    `sync` does it once, given the ids of those we made. `wanted` False: there is nothing to have, only to remove.
    """

    account: str
    sync: Callable[[Collection[int]], Awaitable[Synced | Trouble]]
    every: float
    observe: Callable[[str, Plan | Trouble], None]
    ledger: Ledger
    publishing: Publishing
    wanted: bool = True

    async def run(self) -> None:
        """Sync, wait, sync, for ever; with nothing to have or to remove, wait only."""
        while True:
            seconds = self.every
            made = self._made()
            if self.wanted or made:
                outcome = await self.sync(made)
                if isinstance(outcome, Trouble):
                    seconds = min(AFTER_TROUBLE_SECONDS, self.every)
                    self.observe(self.account, outcome)
                else:
                    await self._remember(outcome.ids, made)
                    self.observe(self.account, outcome.plan)
            await asyncio.sleep(seconds)

    @property
    def _key(self) -> str:
        return subscriptions_key(self.account)

    def _made(self) -> tuple[int, ...]:
        kept = self.publishing.memory.known.cursor(self._key)
        return () if kept is None else tuple(kept["ids"])

    async def _remember(self, ids: tuple[int, ...], made: tuple[int, ...]) -> None:
        names, shard = self.publishing.names, self.publishing.shard

        def write(draft: Draft) -> None:
            draft.add(cursor_record(names, shard, self._key, {"ids": ids} if ids else None))

        if {*ids} != {*made}:
            await self.ledger.commit(write)
