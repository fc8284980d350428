"""What an operator, or the company's own back end, does with accounts: list, connect, pause, resume, disconnect.

Called through the internal port. Writes what is wanted into the accounts' topic; whoever owns the account acts on it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bridge.app.connecting import Connecting, Place
from bridge.contract.accounts import Connected, Pending, Standing, entry_record
from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.sharding import shard_of


class Known(Protocol):
    """What is known of accounts; `app.accounts` knows it."""

    fixed: Mapping[str, Any]
    connected: Mapping[str, Connected]
    pending: Mapping[str, Pending]
    unreadable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Impossible:
    """What was asked cannot be done: why, and how it can. `known` False: there is no such account."""

    why: str
    known: bool = True


Deed = Callable[[str], Awaitable[dict[str, Any] | Impossible]]

_BY_SETTINGS = "this account is one of the settings: change it there"
_NO_OAUTH = "set oauth.client_id, oauth.client_secret and oauth.keys first: without them no account can be connected"


@dataclass(frozen=True, slots=True)
class Administering:
    """The deeds. `connecting` is None where OAuth is not set up. `clock` gives Unix seconds."""

    known: Known
    connecting: Connecting | None
    place: Place
    owned: Callable[[], frozenset[int]]
    clock: Callable[[], float]

    def accounts(self) -> list[dict[str, Any]]:
        """Every account with where it comes from, how it stands, its shard, and whether this process owns it."""
        names = {*self.known.fixed, *self.known.connected, *self.known.pending}
        return [self._account(name) for name in sorted(names)]

    @property
    def deeds(self) -> dict[str, Deed]:
        """By the name that a caller says."""
        return {
            "connect": self.connect,
            "pause": self.pause,
            "resume": self.resume,
            "disconnect": self.disconnect,
            "forget": self.forget,
        }

    async def connect(self, account: str) -> dict[str, Any] | Impossible:
        """A link for the account's customer."""
        if account in self.known.fixed:
            return Impossible(_BY_SETTINGS)
        if self.connecting is None:
            return Impossible(_NO_OAUTH)
        link = self.connecting.link(account)
        return {"account": account, "url": link.url, "expires": link.expires}

    async def pause(self, account: str) -> dict[str, Any] | Impossible:
        """Ask nothing of it until it is resumed."""
        return await self._stand(account, Standing.PAUSED, Told.ACCOUNT_HELD)

    async def resume(self, account: str) -> dict[str, Any] | Impossible:
        """Go on where it was paused."""
        return await self._stand(account, Standing.CONNECTED, Told.ACCOUNT_RELEASED)

    async def disconnect(self, account: str) -> dict[str, Any] | Impossible:
        """Remove it; connected again, it goes on where it was."""
        return await self._stand(account, Standing.LEAVING, Told.ACCOUNT_LEAVING)

    async def forget(self, account: str) -> dict[str, Any] | Impossible:
        """Remove it with all that is known of its records, for which tombstones are published."""
        return await self._stand(account, Standing.LEAVING, Told.ACCOUNT_LEAVING, forget=True)

    async def _stand(
        self, account: str, standing: Standing, told: Told, *, forget: bool = False
    ) -> dict[str, Any] | Impossible:
        if account in self.known.fixed:
            return Impossible(_BY_SETTINGS)
        before = self.known.connected.get(account)
        if before is None:
            return Impossible("there is no such account", known=False)
        if before.standing is Standing.LEAVING and standing is not Standing.LEAVING:
            return Impossible("this account is being disconnected: connect it anew when it is gone")
        place, entry = self.place, replace(before, standing=standing, forget=forget)
        if not await place.keep(entry_record(entry, place.names, place.partitions)):
            return Impossible("Kafka does not answer: nothing was changed, ask again")
        data = {"forget": forget} if standing is Standing.LEAVING else {}
        announcement = Announcement(told, account, int(self.clock() * 1000), data=data)
        await place.keep(announcement_record(announcement, place.names, shard_of(account, place.partitions)))
        return {"account": account, "standing": standing.value}

    def _account(self, name: str) -> dict[str, Any]:
        connected, shard = self.known.connected.get(name), shard_of(name, self.place.partitions)
        standing = "settings" if name in self.known.fixed else "pending" if connected is None else connected.standing
        return {
            "account": name,
            "standing": standing,
            "shard": shard,
            "here": shard in self.owned(),
            "since": None if connected is None else connected.since_ms / 1000,
            "trouble": self.known.unreadable.get(name),
        }
