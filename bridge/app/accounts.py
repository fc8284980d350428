"""Every account that is served: those of the settings, and those that connected themselves.

Fed with the accounts' topic by `bridge.kafka.following`, read by everything in `bridge.app` that serves accounts. What
is served changes while the process runs. Tokens are in clear here and on their way to Copper, nowhere else.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakSet

from bridge.app.sealing import Opened, Sealing
from bridge.contract.accounts import Connected, Pending, Standing, read_entry
from bridge.contract.records import Incoming
from bridge.contract.sharding import shard_of
from bridge.copper.client import CopperAccount
from bridge.copper.wire import BearerToken, Credentials

UNREADABLE = "sealed with a key that is not among oauth.keys: put that key back, or connect the account anew"


class Accounts:
    """The accounts. `served` are all that are worked for, `commanded` those of them that take commands."""

    def __init__(
        self,
        fixed: Mapping[str, CopperAccount],
        open_account: Callable[[str, Callable[[], Credentials]], CopperAccount],
        sealing: Callable[[], Sealing | None],
    ) -> None:
        """`fixed` are those of the settings. `sealing` gives the keys as they are now."""
        self.fixed = fixed
        self.served: dict[str, CopperAccount] = {**fixed}
        self.commanded: dict[str, CopperAccount] = {**fixed}
        self.connected: dict[str, Connected] = {}
        self.pending: dict[str, Pending] = {}
        self.unreadable: dict[str, str] = {}
        """Accounts whose token, or newest token, cannot be used, and why."""
        self.sealed_with: dict[str, str] = {}
        """Connected account to the name of the key that sealed it: while it is here, the key must not go."""
        self._open_account = open_account
        self._sealing = sealing
        self._sealed_by = sealing()
        self._watchers = WeakSet[asyncio.Event]()
        self._opened: dict[str, Opened] = {}
        """What the ciphertext holds."""

    def watched(self) -> asyncio.Event:
        """An event for one who waits, set whenever anything was learnt: to be cleared before one looks."""
        event = asyncio.Event()
        self._watchers.add(event)
        return event

    def hosted(self, shard: int, partitions: int) -> dict[str, Standing]:
        """The served accounts of a shard, and how they are to be taken: without its token one can but wait."""
        mine = (name for name in self.served if shard_of(name, partitions) == shard)
        return {name: self._served_as(name) for name in mine}

    def standing(self, account: str) -> Standing:
        """How a served account stands."""
        entry = self.connected.get(account)
        return Standing.CONNECTED if entry is None else entry.standing

    def _served_as(self, account: str) -> Standing:
        """The same, but that one whose token cannot be read waits like one that is paused."""
        standing = self.standing(account)
        waits = standing is Standing.CONNECTED and account in self.connected and account not in self._opened
        return Standing.PAUSED if waits else standing

    def secret(self, account: str) -> str | None:
        """What a connected account's webhook tokens are derived from; None for any other."""
        opened = self._opened.get(account)
        return None if opened is None else opened.secret

    def learn(self, records: Sequence[Incoming]) -> None:
        """Take up what the topic says. An account of the settings is what they say, whatever lies in the topic."""
        for record in records:
            read = read_entry(record)
            if read is None:
                continue
            kind, account, entry = read
            if kind is Pending:
                _put(self.pending, account, entry)
            elif account not in self.fixed:
                _put(self.connected, account, entry)
                self._renew(account)
        self._tell()

    def rekeyed(self) -> None:
        """Look whether there are other keys, and try again what could not be opened."""
        if self._sealing() is not self._sealed_by:
            self._sealed_by = self._sealing()
            for account in self.connected:
                self._renew(account)
            self._tell()

    def resealed(self, entry: Connected) -> Connected | None:
        """The entry sealed with the newest key; None when it is, or cannot be opened."""
        sealing, opened = self._sealed_by, self._open(entry)
        if sealing is None or opened is None or not sealing.outdated(entry.sealed):
            return None
        return sealing.renewed(entry, opened)

    def _renew(self, account: str) -> None:
        """Serve the account as its entry says.

        One whose new token cannot be read keeps the one it has; without any it waits, and its commands with it.
        """
        entry = self.connected.get(account)
        if entry is None:
            for table in (self._opened, self.served, self.commanded, self.unreadable, self.sealed_with):
                table.pop(account, None)
            return
        opened, sealing = self._open(entry), self._sealed_by
        _put(self.unreadable, account, UNREADABLE if opened is None else None)
        _put(self.sealed_with, account, None if opened is None or sealing is None else sealing.key_of(entry.sealed))
        if opened is not None:
            self._opened[account] = opened
        if account not in self.served:
            self.served[account] = self._open_account(account, lambda: self._credentials(account))
        commanded = entry.standing is not Standing.LEAVING
        _put(self.commanded, account, self.served[account] if commanded else None)

    def _credentials(self, account: str) -> Credentials:
        """One that is gone may still have a call to make: it is refused by Copper, as it has to be."""
        opened = self._opened.get(account)
        return BearerToken("" if opened is None else opened.token)

    def _open(self, entry: Connected) -> Opened | None:
        return None if self._sealed_by is None else self._sealed_by.opened(entry.account, entry.sealed)

    def _tell(self) -> None:
        for event in self._watchers:
            event.set()


def _put(table: dict[str, Any], account: str, value: Any | None) -> None:
    if value is None:
        table.pop(account, None)
    else:
        table[account] = value
