"""What Copper can be made to tell about an account before a bridge runs: for `check`.

Called by `bridge.app.checking`. Nine calls at most, fewer than a bridge at the default of 170 leaves of Copper's 180
a minute: it may run meanwhile. Judges nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from bridge.copper import calls, subscriptions
from bridge.copper.client import CopperAccount
from bridge.policy.checks_of_copper import Examined
from bridge.policy.sightings import Ask, Lane, Stamp, Trouble
from bridge.policy.subscribing import Wanted, plan


async def examine(
    account: CopperAccount,
    entities: Sequence[str],
    *,
    custom_fields: bool,
    wanted: Sequence[Wanted],
    target: str | None,
    headers: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> Examined:
    """Ask for the account, a row of each entity, the custom fields if wanted, and the subscriptions at a `target`."""
    answer = await account.call(calls.account(), Lane.CHECKS)
    if isinstance(answer, Trouble):
        return Examined(answer)
    ahead = account.now() - clock()
    ask = Ask(Stamp.CREATED, size=1)
    pages = {entity: await account.search(entity, ask, Lane.CHECKS) for entity in entities}
    fields = await account.reference("custom_field_definitions", Lane.CHECKS) if custom_fields else ()
    listed = await subscriptions.listed(account) if target is not None else None
    if listed is not None and not isinstance(listed, Trouble):
        return Examined(answer, ahead, pages, fields, plan(wanted, listed, target=target, headers=headers))
    return Examined(answer, ahead, pages, fields, listed)
