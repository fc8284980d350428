"""What the settings say about webhooks: secrets, targets, and the flow that keeps an account's subscriptions.

Joins settings, Copper's notifications and `shard.subscribing`. Without a public URL there are no subscriptions.
"""

from collections.abc import Callable

from bridge.contract.catalogue import CATALOGUE
from bridge.copper import notifications, subscriptions
from bridge.copper.client import CopperAccount
from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan, Wanted
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


def secret(settings: Settings, account: str) -> str:
    """What the account's notifications carry: as configured, else derived from its API key or token."""
    if settings.webhooks.secret is not None:
        return settings.webhooks.secret.get_secret_value()
    return _derived(settings, account)


def _derived(settings: Settings, account: str) -> str:
    credentials = settings.accounts[account]
    key = credentials.api_key or credentials.access_token
    if key is None:
        raise ValueError("settings let no account without credentials through")
    return notifications.webhook_secret(key.get_secret_value(), account)


def digests(settings: Settings) -> dict[str, tuple[bytes, ...]]:
    """Per account what the public port compares tokens with.

    The present secret, those that are taken as well, and the derived one: what it was before another was set, and
    notifications that were sent with it may still come.
    """
    also = [each.get_secret_value() for each in settings.webhooks.accept]
    return {
        account: tuple(
            map(
                notifications.digest,
                dict.fromkeys([secret(settings, account), *also, _derived(settings, account)]),
            )
        )
        for account in settings.accounts
    }


def wish(settings: Settings, account: str) -> tuple[list[Wanted], str | None, dict[str, str]]:
    """The subscriptions to have, where they send notifications to, and the headers that those carry."""
    url = settings.webhooks.public_url
    headers = {notifications.TOKEN_HEADER: secret(settings, account)}
    if url is None:
        return [], None, headers
    wanted = [each for each in WANTED if settings.events.of(each.entity).enabled]
    return wanted, f"{str(url).rstrip('/')}/webhooks/copper/{account}", headers


def subscribing(
    settings: Settings,
    account: CopperAccount,
    ledger: Ledger,
    publishing: Publishing,
    observe: Callable[[str, Plan | Trouble], None],
) -> Subscribing:
    """The flow for an account. Without an address to send notifications to it removes what we made before."""
    wanted, target, headers = wish(settings, account.name)
    return Subscribing(
        account.name,
        lambda made: subscriptions.reconcile(account, wanted, target=target, headers=headers, made=made),
        settings.webhooks.sync_every.total_seconds(),
        observe,
        ledger,
        publishing,
        wanted=target is not None,
    )
