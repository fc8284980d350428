"""Webhook subscriptions from beside a running bridge: what Copper has against what should be, and made so.

Called by `copper-bridge webhooks`. The running bridge does the same every `webhooks.sync_every`; what one of them has
made the other finds in place. Its calls take only what the bridge's own budget leaves of Copper's limit.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from bridge.app.webhooks import wish
from bridge.app.world import account_of
from bridge.copper import subscriptions
from bridge.copper.client import CopperAccount, CopperConnection
from bridge.policy.budget import WINDOW_SECONDS
from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan, Subscription, plan
from bridge.settings import Settings
from bridge.settings.groups import COPPERS_LIMIT

FEWEST = 2
"""A budget needs as many."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An account's subscriptions as Copper lists them, and what is to be done about them."""

    existing: Sequence[Subscription]
    plan: Plan


async def review(
    settings: Settings,
    accounts: Collection[str],
    made: Mapping[str, Collection[int]],
    *,
    carry_out: bool,
    planned: Callable[[str, Plan], None],
) -> AsyncGenerator[tuple[str, Reviewed | Trouble]]:
    """Each of the accounts, compared and with `carry_out` changed; `planned` is told before that.

    `made` are the ids of those that the bridge remembers to have made.
    """
    beside = _beside(settings)
    timeout = settings.copper.timeout.total_seconds()
    began = asyncio.get_running_loop().time() - WINDOW_SECONDS  # one command makes its first calls at once
    async with CopperConnection(settings.copper.base_url, timeout=timeout) as copper:
        for name in accounts:
            account = account_of(copper, name, lambda: beside, began)
            yield name, await _reviewed(settings, account, made.get(name, ()), planned, carry_out=carry_out)


async def _reviewed(
    settings: Settings,
    account: CopperAccount,
    made: Collection[int],
    planned: Callable[[str, Plan], None],
    *,
    carry_out: bool,
) -> Reviewed | Trouble:
    existing = await subscriptions.listed(account)
    if isinstance(existing, Trouble):
        return existing
    wanted, target, headers = wish(settings, account.name)
    todo = plan(wanted, existing, target=target, headers=headers, made=made)
    if carry_out:
        planned(account.name, todo)
        done = await subscriptions.apply(account, todo, target=target, headers=headers)
        if isinstance(done, Trouble):
            return done
    return Reviewed(existing, todo)


def _beside(settings: Settings) -> Settings:
    spare = max(FEWEST, COPPERS_LIMIT - settings.copper.requests_per_minute)
    copper = settings.copper.model_copy(update={"requests_per_minute": spare})
    return settings.model_copy(update={"copper": copper})
