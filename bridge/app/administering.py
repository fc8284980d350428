"""What an operator, or the company's own back end, does with accounts: list, connect, pause, resume, disconnect.

Called through the internal port. Asks the account's owner by a control message, as the command line does, and waits
until every replica could know of it.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.app.accounts import Accounts
from bridge.app.connecting import Linking, Place
from bridge.contract.accounts import Standing
from bridge.contract.control import Asked, Control, control_record
from bridge.contract.sharding import shard_of
from bridge.policy import standings

DONE_SECONDS = 5.0
"""An owner that is there acts within one."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """What was asked cannot be done: why, and how it can. `known` False: there is no such account."""

    why: str
    known: bool = True


Deed = Callable[[str], Awaitable[dict[str, Any] | Impossible]]

BY_SETTINGS = "this account is one of the settings: change it there"
NO_OAUTH = "set oauth.client_id, oauth.client_secret and oauth.keys first: without them no account can be connected"
_WANTED = {
    Asked.PAUSE: Standing.PAUSED,
    Asked.RESUME: Standing.CONNECTED,
    Asked.DISCONNECT: Standing.LEAVING,
    Asked.FORGET: Standing.LEAVING,
}


@dataclass(frozen=True, slots=True)
class Administering:
    """The deeds. `linking` gives None where OAuth is not set up. `clock` gives Unix seconds."""

    known: Accounts
    linking: Callable[[], Linking | None]
    place: Place
    owned: Callable[[], frozenset[int]]
    clock: Callable[[], float]

    def accounts(self) -> list[dict[str, Any]]:
        """Every account with where it comes from, how it stands, its shard, and whether this process owns it."""
        now = self.clock()
        asked = {name for name, pending in self.known.pending.items() if pending.expires > now}
        names = {*self.known.fixed, *self.known.connected, *asked}
        return [self._account(name) for name in sorted(names)]

    @property
    def deeds(self) -> dict[str, Deed]:
        """By the name that a caller says."""
        return {"connect": self.connect, **{asked.value: self._asking(asked) for asked in _WANTED}}

    async def connect(self, account: str) -> dict[str, Any] | Impossible:
        """A link for the account's customer."""
        if account in self.known.fixed:
            return Impossible(BY_SETTINGS)
        linking = self.linking()
        if linking is None:
            return Impossible(NO_OAUTH)
        link = linking.link(account, self.clock())
        return {"account": account, "url": link.url, "expires": link.expires}

    def _asking(self, asked: Asked) -> Deed:
        async def ask(account: str) -> dict[str, Any] | Impossible:
            return await self._ask(account, asked)

        return ask

    async def _ask(self, account: str, asked: Asked) -> dict[str, Any] | Impossible:
        """Have it done. `done` False: the owner has not answered yet, and will."""
        if account in self.known.fixed:
            return Impossible(BY_SETTINGS)
        before, forget = self.known.connected.get(account), asked is Asked.FORGET
        wanted = standings.moved(before, _WANTED[asked], round(self.clock() * 1000), forget=forget)
        if isinstance(wanted, str):
            return Impossible(wanted, known=before is not None)
        control = Control(str(uuid.uuid4()), asked, account)
        if not await self.place.keep(control_record(control, self.place.names, self.place.partitions)):
            return Impossible("Kafka does not answer: it is not known to be asked, ask again")
        done = await self._done(account, wanted.standing)
        return {"account": account, "standing": wanted.standing.value, "control_id": control.id, "done": done}

    async def _done(self, account: str, standing: Standing) -> bool:
        learnt = self.known.watched()
        try:
            async with asyncio.timeout(DONE_SECONDS):
                while (entry := self.known.connected.get(account)) is not None and entry.standing is not standing:
                    learnt.clear()
                    await learnt.wait()
        except TimeoutError:
            return False
        return True

    def _account(self, name: str) -> dict[str, Any]:
        connected, shard = self.known.connected.get(name), shard_of(name, self.place.partitions)
        fixed = name in self.known.fixed
        return {
            "account": name,
            "standing": "settings" if fixed else "pending" if connected is None else connected.standing.value,
            "shard": shard,
            "here": shard in self.owned(),
            "since": None if connected is None else connected.since_ms / 1000,
            "key": self.known.sealed_with.get(name),
            "trouble": self.known.unreadable.get(name),
        }
