"""Leaving: an account that was disconnected, on its way out.

Its webhooks at Copper are removed and, if asked, everything that is known of its records; then it is said that it is
gone, after which nobody serves it. Called by the shard session instead of all other flows of the account. May be
cancelled at any moment and begins again: every step may be done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Outgoing
from bridge.policy import outcomes
from bridge.policy.sightings import Trouble, Why
from bridge.shard.ports import Draft, Ledger
from bridge.shard.publishing import Publishing

AT_ONCE = 500
"""Tombstones in one transaction."""
HOPELESS = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN})
"""With a token that is no longer good nothing can be removed at Copper: whoever revoked it has to."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The flow for one account.

    `unsubscribe` removes its webhooks, given the ids of those we made. `gone` takes the number of tombstones and says
    that it is over; False when that could not be kept.
    """

    account: str
    forget: bool
    unsubscribe: Callable[[Collection[int]], Awaitable[Any | Trouble]]
    gone: Callable[[int], Awaitable[bool]]
    ledger: Ledger
    publishing: Publishing

    async def run(self) -> None:
        """Leave; then wait for the session to end."""
        await self._insist(self._unsubscribed)
        tombstones = await self._forgotten() if self.forget else 0
        await self._insist(lambda: self.gone(tombstones))
        await asyncio.Event().wait()

    async def _insist(self, step: Callable[[], Awaitable[bool]]) -> None:
        failures = 0
        while not await step():
            await asyncio.sleep(outcomes.backoff(failures, outcomes.LONGEST_PAUSE_SECONDS))
            failures += 1

    async def _unsubscribed(self) -> bool:
        key = f"subscriptions/{self.account}"
        kept = self.publishing.memory.known.cursor(key)
        answer = await self.unsubscribe(() if kept is None else tuple(kept["ids"]))
        if isinstance(answer, Trouble) and answer.why not in HOPELESS:
            return False
        await self._remove(self.publishing.names.cursors, [key])
        return True

    async def _forgotten(self) -> int:
        """Nothing of the account's is known any more: its records, and how far they had been read."""
        count = 0
        for entity in CATALOGUE.followed:
            while keys := self._known(entity):
                await self._remove(self.publishing.names.state(entity), keys)
                count += len(keys)
        await self._remove(self.publishing.names.cursors, self.publishing.memory.known.cursors_of(self.account))
        return count

    def _known(self, entity: str) -> list[str]:
        return self.publishing.memory.known.records_of(entity, self.account, AT_ONCE)

    async def _remove(self, topic: str, keys: Collection[str]) -> None:
        shard = self.publishing.shard

        def write(draft: Draft) -> None:
            for key in keys:
                draft.add(Outgoing(topic, shard, key.encode(), None))

        await self.ledger.commit(write)
