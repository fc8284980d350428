"""Subscribing: Copper's webhook subscriptions of one account kept equal to the wanted set.

Called by the shard session, so that only the owner of an account touches its subscriptions. How they are compared and
changed is the function it is given; this flow is the clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan

AFTER_TROUBLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Subscribing:
    """The flow for one account. `sync` does it once; `every` is in seconds; `observe` gets every outcome."""

    account: str
    sync: Callable[[], Awaitable[Plan | Trouble]]
    every: float
    observe: Callable[[str, Plan | Trouble], None]

    async def run(self) -> None:
        """Sync, wait, sync, for ever."""
        while True:
            outcome = await self.sync()
            self.observe(self.account, outcome)
            seconds = min(AFTER_TROUBLE_SECONDS, self.every) if isinstance(outcome, Trouble) else self.every
            await asyncio.sleep(seconds)
