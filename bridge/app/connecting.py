"""Connecting an account: a signed link, the customer's consent at Copper, a code made a token, a record kept.

Joins the public port (`bridge.web`), Copper's OAuth (`bridge.copper.oauth`) and the accounts' topic. Any replica may be
asked for any step: what one has to know of the other's is in Kafka. Knows no HTTP.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

from bridge.app.sealing import Sealing
from bridge.contract.accounts import Connected, Entry, Pending, Standing, entry_record, forgotten
from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.records import Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.copper.oauth import Application, consent_url, redeemed
from bridge.policy import linking
from bridge.policy.linking import Refused

FOLLOW_SECONDS = 2.0
"""A consent may come to another replica than the link, before that has read of it."""
CONNECT_PATH = "/connect/"
CALLBACK_PATH = "/oauth/callback"


class Known(Protocol):
    """What is known of accounts; `app.accounts` knows it."""

    changed: asyncio.Event
    pending: Mapping[str, Pending]
    connected: Mapping[str, Connected]


@dataclass(frozen=True, slots=True)
class Link:
    """A link to give to a customer, and until when it is good, Unix seconds."""

    url: str
    expires: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where records about accounts go."""

    names: TopicNames
    partitions: int
    keep: Callable[[Outgoing], Awaitable[bool]]
    """Writes a record; False when it is not known to be kept."""


class Connecting:
    """The steps, for all accounts."""

    def __init__(
        self,
        application: Application,
        known: Known,
        sealing: Sealing,
        place: Place,
        *,
        public_url: str,
        link_keys: tuple[bytes, ...],
        link_seconds: float,
        timeout: float,
        chance: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """`link_keys`: the first signs, all are good. `chance` makes 32 bytes of text that nobody can guess."""
        self._application = application
        self._known = known
        self._sealing = sealing
        self._place = place
        self._public_url = public_url
        self._link_keys = link_keys
        self._link_seconds = link_seconds
        self._timeout = timeout
        self._chance = chance
        self._clock = clock

    def link(self, account: str) -> Link:
        """A new link for an account, known or not."""
        expires = int(self._clock() + self._link_seconds)
        query = {"expires": expires, "signature": linking.signature(self._link_keys[0], account, expires)}
        return Link(f"{self._public_url}{CONNECT_PATH}{account}?{urlencode(query)}", expires)

    async def begin(self, account: str, expires: str, signature: str) -> str | Refused:
        """A link was opened: where its customer is to say yes or no."""
        refused = linking.link_refusal(self._link_keys, account, expires, signature, self._clock())
        if refused is not None:
            return refused
        chance = self._chance()
        kept = await self._keep(linking.pending(account, chance, self._clock()))
        return consent_url(self._application, linking.state(account, chance)) if kept else Refused.KAFKA_AWAY

    async def finish(self, state: str, code: str | None) -> str | Refused:
        """A consent came back: the account that is connected now. No `code`: the answer was no."""
        account = await self._asked_for(state)
        if isinstance(account, Refused):
            return account
        if not await self._place.keep(forgotten(account, self._place.names, self._place.partitions, pending=True)):
            return Refused.KAFKA_AWAY
        if not code:
            return Refused.DENIED
        token = await redeemed(self._application, code, timeout=self._timeout)
        return token if isinstance(token, Refused) else await self._connect(account, token)

    async def _asked_for(self, state: str) -> str | Refused:
        """The account whose consent was asked for with this state."""
        account = linking.account_of(state)
        if account is None:
            return Refused.UNKNOWN_STATE
        try:
            async with asyncio.timeout(FOLLOW_SECONDS):
                while (refused := self._refusal(account, state)) is Refused.UNKNOWN_STATE:
                    self._known.changed.clear()
                    await self._known.changed.wait()
        except TimeoutError:
            return Refused.UNKNOWN_STATE
        return account if refused is None else refused

    def _refusal(self, account: str, state: str) -> Refused | None:
        return linking.consent_refusal(self._known.pending.get(account), state, self._clock())

    async def _connect(self, account: str, token: str) -> str | Refused:
        now_ms = int(self._clock() * 1000)
        before = self._known.connected.get(account)
        new = before or Connected(account, "", self._sealing.seal(self._chance()), Standing.CONNECTED, now_ms)
        kept = await self._keep(
            replace(new, sealed_token=self._sealing.seal(token), standing=Standing.CONNECTED, forget=False)
        )
        if not kept:
            return Refused.KAFKA_AWAY
        await self._tell(Announcement(Told.ACCOUNT_CONNECTED, account, now_ms, data={"again": before is not None}))
        return account

    async def _keep(self, entry: Entry) -> bool:
        return await self._place.keep(entry_record(entry, self._place.names, self._place.partitions))

    async def _tell(self, announcement: Announcement) -> None:
        shard = shard_of(announcement.account or "", self._place.partitions)
        await self._place.keep(announcement_record(announcement, self._place.names, shard))
