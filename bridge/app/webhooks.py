"""What the settings say about webhooks: secrets, targets, and the flow that keeps an account's subscriptions.

Joins settings, Copper's notifications and `shard.subscribing`. Without a public URL there are no subscriptions.
"""

import random
from collections.abc import Awaitable, Callable, Collection

from bridge.contract.catalogue import CATALOGUE
from bridge.copper import notifications, subscriptions
from bridge.copper.client import CopperAccount
from bridge.policy.pacing import jittered
from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan, Synced, Wanted
from bridge.settings import Settings
from bridge.shard.ports import Ledger
from bridge.shard.publishing import Publishing
from bridge.shard.subscribing import Subscribing

WANTED = tuple(
    Wanted(entity, event)
    for entity in CATALOGUE.entities
    if CATALOGUE.kinds(entity)
    for event in ("new", "update", "delete")
)


def secret(settings: Settings, account: str, own: str | None = None) -> str:
    """What the account's notifications carry: as configured, else derived.

    From its `own` secret, which a connected account has, or its API key or token in the settings.
    """
    if settings.webhooks.secret is not None:
        return settings.webhooks.secret.get_secret_value()
    return _derived(settings, account, own)


def _derived(settings: Settings, account: str, own: str | None = None) -> str:
    if own is not None:
        return notifications.webhook_secret(own, account)
    credentials = settings.accounts[account]
    key = credentials.api_key or credentials.access_token
    if key is None:
        raise ValueError("settings let no account without credentials through")
    return notifications.webhook_secret(key.get_secret_value(), account)


def digests(settings: Settings, account: str, own: str | None = None) -> tuple[bytes, ...]:
    """What the public port compares an account's tokens with.

    The present secret, those that are taken as well, and the derived one: what it was before another was set, and
    notifications that were sent with it may still come.
    """
    also = [each.get_secret_value() for each in settings.webhooks.accept]
    taken = [secret(settings, account, own), *also, _derived(settings, account, own)]
    return tuple(map(notifications.digest, dict.fromkeys(taken)))


class Tokens:
    """What notifications may carry, as the secrets are now. `clock` is any steady one, in seconds.

    One that was derived from credentials which have been replaced is taken for as long as notifications with it may
    still come: until the subscriptions have been brought up to date and the last late one is out of the window.
    """

    def __init__(
        self, now: Callable[[], Settings], own: Callable[[str], str | None], clock: Callable[[], float]
    ) -> None:
        """`own` gives what a connected account's tokens are derived from; None for any other account."""
        self._now = now
        self._own = own
        self._clock = clock
        self._settings = now()
        self._digests: dict[tuple[str, str | None], tuple[bytes, ...]] = {}
        self._before: dict[str, list[tuple[float, bytes]]] = {}
        """Account to digests of derived secrets that were replaced, each with the moment until which it is taken."""

    def of(self, account: str) -> tuple[bytes, ...]:
        """The digests for an account; none for one that there is not."""
        self._renew()
        own = self._own(account)
        if own is None and account not in self._settings.accounts:
            return ()
        if (account, own) not in self._digests:
            self._digests[account, own] = digests(self._settings, account, own)
        before = [known for until, known in self._before.get(account, ()) if until > self._clock()]
        return (*self._digests[account, own], *before)

    def _renew(self) -> None:
        settings, old = self._now(), self._settings
        if settings is old:
            return
        self._settings, self._digests = settings, {}
        until = self._clock() + (settings.webhooks.sync_every + settings.webhooks.window).total_seconds()
        for account in settings.accounts:
            if _derived(old, account) != _derived(settings, account):
                known = notifications.digest(_derived(old, account))
                self._before.setdefault(account, []).append((until, known))


def target(settings: Settings, account: str) -> str | None:
    """Where Copper is to send the account's notifications; None without a public address."""
    url = settings.webhooks.public_url
    return None if url is None else f"{url}/webhooks/copper/{account}"


def wish(settings: Settings, account: str, own: str | None = None) -> tuple[list[Wanted], str | None, dict[str, str]]:
    """The subscriptions to have, where they send notifications to, and the headers that those carry.

    `own` as for `secret`.
    """
    aim = target(settings, account)
    wanted = [each for each in WANTED if settings.events.of(each.entity).enabled] if aim is not None else []
    return wanted, aim, {notifications.TOKEN_HEADER: secret(settings, account, own)}


def subscribing(
    now: Callable[[], Settings],
    own: Callable[[str], str | None],
    account: CopperAccount,
    ledger: Ledger,
    publishing: Publishing,
    observe: Callable[[str, Plan | Trouble], None],
) -> Subscribing:
    """The flow for an account. Without an address to send notifications to it removes what we made before.

    `now` gives the settings, with the secrets as they are at the time; `own` as for `Tokens`.
    """
    settings = now()

    def sync(made: Collection[int]) -> Awaitable[Synced | Trouble]:
        wanted, aim, headers = wish(now(), account.name, own(account.name))
        return subscriptions.reconcile(account, wanted, target=aim, headers=headers, made=made)

    return Subscribing(
        account.name,
        sync,
        jittered(settings.webhooks.sync_every.total_seconds(), random.random()),  # noqa: S311 - spread, not secrecy
        observe,
        ledger,
        publishing,
        wanted=target(settings, account.name) is not None,
    )


def unsubscribing(
    settings: Settings, account: CopperAccount
) -> Callable[[Collection[int]], Awaitable[Synced | Trouble]]:
    """What removes an account's subscriptions, given the ids of those we made."""

    def remove(made: Collection[int]) -> Awaitable[Synced | Trouble]:
        aim = target(settings, account.name)
        return subscriptions.reconcile(account, [], target=aim, headers={}, made=made)

    return remove
