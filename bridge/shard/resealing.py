"""Resealing: what is kept of a shard's connected accounts, sealed anew when there is a newer key.

So an old key can go as soon as this has been everywhere. The owner does it, as it does all writing about its accounts.
Called by the shard session; how things are sealed is the function it is given.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bridge.contract.accounts import Connected
from bridge.shard.governing import Governing, read_account
from bridge.shard.ports import Draft, Ledger


@dataclass(frozen=True, slots=True)
class Resealing:
    """The flow. `accounts` gives the names of the shard's own, `changed` is set when there may be other keys."""

    accounts: Callable[[], Collection[str]]
    resealed: Callable[[Connected], Connected | None]
    """An entry sealed with the newest key; None when it is."""
    changed: asyncio.Event
    ledger: Ledger
    governing: Governing

    async def run(self) -> None:
        """Keep everything sealed with the newest key, for ever."""
        while True:
            self.changed.clear()
            for account in sorted(self.accounts()):
                await self._reseal(account)
            await self.changed.wait()

    async def _reseal(self, account: str) -> None:
        memory = self.governing.publishing.memory
        if (known := read_account(memory.known, account)) is None or self.resealed(known) is None:
            return

        def write(draft: Draft) -> None:
            entry = read_account(memory.drafted, account)
            if entry is not None and (renewed := self.resealed(entry)) is not None:
                self.governing.write(draft, renewed)

        await self.ledger.commit(write)
