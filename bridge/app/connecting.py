"""Connecting an account: a signed link, the customer's consent at Copper, a code made a token, its owner told.

Joins the public port (`bridge.web`), Copper's OAuth (`bridge.copper.oauth`) and Kafka. Any replica may be asked for any
step: what one has to know of the other's is in Kafka. The token is written by the shard that owns the account, which is
asked by a control message that holds it sealed. Knows no HTTP.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bridge.app.accounts import Accounts
from bridge.app.sealing import Opened, Sealing
from bridge.contract.accounts import entry_record, forgotten
from bridge.contract.control import Asked, Control, control_record
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.copper.oauth import Application, consent_url, redeemed
from bridge.policy import linking
from bridge.policy.linking import Refused

FOLLOW_SECONDS = 2.0
"""A consent may come to another replica than the link, before that has read of it."""
CONNECT_PATH = "/connect/"
CALLBACK_PATH = "/oauth/callback"


@dataclass(frozen=True, slots=True)
class Link:
    """A link to give to a customer, and until when it is good, Unix seconds."""

    url: str
    expires: int


@dataclass(frozen=True, slots=True)
class Linking:
    """What makes links and judges them. `keys`: the first signs, all are good."""

    public_url: str
    keys: Sequence[bytes]
    seconds: float

    def link(self, account: str, now: float) -> Link:
        """A new link for an account, known or not. `now` in Unix seconds."""
        expires = int(now + self.seconds)
        query = {"expires": expires, "signature": linking.signature(self.keys[0], account, expires)}
        return Link(f"{self.public_url}{CONNECT_PATH}{account}?{urlencode(query)}", expires)


@dataclass(frozen=True, slots=True)
class Place:
    """Where records about accounts go."""

    names: TopicNames
    partitions: int
    keep: Callable[[Outgoing], Awaitable[bool]]
    """Writes a record; False when it is not known to be kept."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """The settings that OAuth needs, as they are now."""

    application: Application
    linking: Linking
    sealing: Sealing
    timeout: float
    """Seconds for the one call to Copper."""


class Connecting:
    """The steps, for all accounts. `chance` makes 32 bytes of text that nobody can guess."""

    def __init__(
        self,
        oauth: Callable[[], OAuth],
        known: Accounts,
        place: Place,
        *,
        chance: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives Unix seconds."""
        self._oauth = oauth
        self._known = known
        self._place = place
        self._chance = chance
        self._clock = clock
        self._answered: set[str] = set()
        """States whose answer is being dealt with."""

    async def begin(self, account: str, expires: str, signature: str) -> str | Refused:
        """A link was opened: where its customer is to say yes or no."""
        oauth, now = self._oauth(), self._clock()
        refused = linking.link_refusal(oauth.linking.keys, account, expires, signature, now)
        if refused is not None or account in self._known.fixed:
            return refused or Refused.FORGED
        state = linking.state(oauth.linking.keys[0], account, self._chance())
        pending = linking.pending(account, state, now)
        kept = await self._place.keep(entry_record(pending, self._place.names, self._place.partitions))
        return consent_url(oauth.application, state) if kept else Refused.KAFKA_AWAY

    async def finish(self, state: str, code: str | None) -> str | Refused:
        """A consent came back: the account that is connected now. No `code`: the answer was no."""
        account = linking.account_of(self._oauth().linking.keys, state)
        if account is None or state in self._answered:  # the same form, sent once more while we are at it
            return Refused.UNKNOWN_STATE
        self._answered.add(state)
        try:
            return await self._refused(account, state) or await self._finish(account, code)
        finally:
            self._answered.discard(state)

    async def _finish(self, account: str, code: str | None) -> str | Refused:
        """What is pending goes first: whatever comes then, a state is good once."""
        if not await self._place.keep(forgotten(account, self._place.names, self._place.partitions, pending=True)):
            return Refused.KAFKA_AWAY
        self._known.pending.pop(account, None)  # before it comes back out of the topic
        if not code:
            return Refused.DENIED
        oauth = self._oauth()
        token = await redeemed(oauth.application, code, timeout=oauth.timeout)
        if isinstance(token, Refused):
            return token
        sealed = oauth.sealing.seal(account, Opened(token, self._chance()))
        asked = Control(f"connect-{uuid.uuid4()}", Asked.CONNECT, account, sealed=sealed)
        kept = await self._place.keep(control_record(asked, self._place.names, self._place.partitions))
        return account if kept else Refused.KAFKA_AWAY

    async def _refused(self, account: str, state: str) -> Refused | None:
        """Why a state of ours does not count; another replica may have made it a moment ago."""
        learnt = self._known.watched()
        try:
            async with asyncio.timeout(FOLLOW_SECONDS):
                while (refused := self._refusal(account, state)) is Refused.UNKNOWN_STATE:
                    learnt.clear()
                    await learnt.wait()
        except TimeoutError:
            return Refused.UNKNOWN_STATE
        return refused

    def _refusal(self, account: str, state: str) -> Refused | None:
        return linking.consent_refusal(self._known.pending.get(account), state, self._clock())
