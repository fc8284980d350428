"""Leaving: an account that was disconnected, on its way out.

Its webhooks at Copper are removed and, if asked, everything that is known of its records; then it is said that it is
gone, after which nobody serves it. Its only flow while it lasts. May be cancelled at any moment and begins again: every
step may be done twice. One that is connected anew meanwhile stays, and what was forgotten by then is read anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from bridge.contract.accounts import Connected, Standing
from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.cursors import account_key, subscriptions_key
from bridge.contract.records import Outgoing
from bridge.policy import outcomes
from bridge.policy.sightings import Trouble, Why
from bridge.shard.governing import Governing, read_account
from bridge.shard.ports import Draft, Gate, Ledger

T = TypeVar("T")

AT_ONCE = 500
"""Tombstones in one transaction."""
LOOK_SECONDS = 0.5
HOPELESS = frozenset({Why.UNAUTHORIZED, Why.FORBIDDEN})
"""With a token that is no longer good nothing can be removed at Copper: whoever revoked it has to."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The flow. `unsubscribe` removes the account's webhooks, given the ids of those we made; `jitter` is in [0, 1)."""

    account: str
    gate: Gate
    unsubscribe: Callable[[Collection[int]], Awaitable[object | Trouble]]
    waiting: Callable[[], int]
    """Commands of the account that were taken in and are not answered yet."""
    ledger: Ledger
    governing: Governing
    jitter: Callable[[], float]
    observe: Callable[[Announcement], None]

    async def run(self) -> None:
        """Leave, then wait to be ended."""
        self.gate.open()  # an operator's pause, or refused credentials, would hold it for ever
        webhooks, tombstones = await self._unsubscribed(), None
        while self.waiting():  # noqa: ASYNC110 - nobody tells. What they still write would be left behind
            await asyncio.sleep(LOOK_SECONDS)
        while not await self._gone(webhooks, tombstones):
            tombstones = await self._forgotten()
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
        """Nothing of the account's is known any more: how far its records had been read, then they themselves.

        In that order: half of it done, all is read anew, and nothing is taken for known that is not.
        """
        known, names, count = self.governing.publishing.memory.known, self.governing.publishing.names, 0
        own = account_key(self.account)  # it says that this is to be done, and goes last
        await self._remove(names.cursors, [key for key in known.cursors_of(self.account) if key != own])
        for entity in CATALOGUE.followed:
            while keys := known.records_of(entity, self.account, AT_ONCE):
                await self._remove(names.state(entity), keys)
                count += len(keys)
        return count

    async def _remove(self, topic: str, keys: Collection[str]) -> None:
        shard = self.governing.publishing.shard

        def write(draft: Draft, _entry: Connected) -> None:
            for key in keys:
                draft.add(Outgoing(topic, shard, key.encode(), None))

        await self._written(write)

    async def _gone(self, webhooks: str, tombstones: int | None) -> bool:
        """Say that the account is gone; False when its records have to go first, which may be asked at any time."""
        publishing = self.governing.publishing
        data = {"webhooks": webhooks, "tombstones": tombstones or 0}
        told = Announcement(Told.ACCOUNT_DISCONNECTED, self.account, round(publishing.clock() * 1000), data=data)

        def write(draft: Draft, entry: Connected) -> bool:
            if entry.forget and tombstones is None:
                return False
            self.governing.remove(draft, self.account)
            draft.add(announcement_record(told, publishing.names, publishing.shard))
            return True

        gone = await self._written(write)
        if gone:
            self.observe(told)
        return gone

    async def _written(self, write: Callable[[Draft, Connected], T]) -> T:
        """Write as long as the account leaves; one that does not any more, or is gone, has nothing more to do here."""
        memory = self.governing.publishing.memory

        def checked(draft: Draft) -> tuple[T] | None:
            entry = read_account(memory.drafted, self.account)
            return None if entry is None or entry.standing is not Standing.LEAVING else (write(draft, entry),)

        written = await self.ledger.commit(checked)
        while written is None:
            await asyncio.Event().wait()
        return written[0]
