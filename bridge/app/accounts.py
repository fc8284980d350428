"""Every account that is served: those of the settings, and those that connected themselves.

Fed with the accounts' topic by `bridge.kafka.following`. What is served changes while the process runs; who must know
is told. Tokens are in clear here and on their way to Copper, nowhere else.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.app.sealing import Sealing
from bridge.contract.accounts import Connected, Pending, Standing, read_entry
from bridge.contract.records import Incoming
from bridge.copper.client import CopperAccount
from bridge.copper.wire import BearerToken, Credentials

UNREADABLE = "its token was sealed with a key that is not among oauth.keys: add that key, or connect the account anew"


class Accounts:
    """The accounts. `served` is what the shards work with: of accounts that have credentials."""

    def __init__(
        self,
        fixed: Mapping[str, CopperAccount],
        open_account: Callable[[str, Callable[[], Credentials]], CopperAccount],
        sealing: Sealing | None,
        moved: Callable[[str], None],
    ) -> None:
        """`fixed` are those of the settings. `moved` is told of an account whose shard must begin afresh for it."""
        self.fixed = fixed
        self.served: dict[str, CopperAccount] = {**fixed}
        self.connected: dict[str, Connected] = {}
        self.pending: dict[str, Pending] = {}
        self.unreadable: dict[str, str] = {}
        """Accounts that cannot be served, and why."""
        self.changed = asyncio.Event()
        """Set whenever anything was learnt; whoever waits for something clears it first."""
        self._open_account = open_account
        self._sealing = sealing
        self._moved = moved
        self._tokens: dict[str, str] = {}
        self._secrets: dict[str, str] = {}

    def standing(self, account: str) -> Standing:
        """How a served account stands."""
        entry = self.connected.get(account)
        return Standing.CONNECTED if entry is None or account in self.fixed else entry.standing

    def secret(self, account: str) -> str | None:
        """What a connected account's webhook tokens are derived from."""
        return self._secrets.get(account)

    def learn(self, records: Sequence[Incoming]) -> None:
        """Take up what the topic says. An account of the settings is what they say, whatever lies in the topic."""
        for record in records:
            read = read_entry(record)
            if read is None:
                continue
            kind, account, entry = read
            if kind is Pending:
                _put(self.pending, account, entry if isinstance(entry, Pending) else None)
            elif account not in self.fixed:
                self._learn(account, entry if isinstance(entry, Connected) else None)
        self.changed.set()

    def _learn(self, account: str, entry: Connected | None) -> None:
        before = self._shape(account)
        _put(self.connected, account, entry)
        token = None if entry is None else self._opened(entry.sealed_token)
        secret = None if entry is None else self._opened(entry.sealed_secret)
        _put(self.unreadable, account, UNREADABLE if entry is not None and None in (token, secret) else None)
        if token is None or secret is None:
            self._forget(account)
        else:
            self._tokens[account], self._secrets[account] = token, secret
            if account not in self.served:
                self.served[account] = self._open_account(account, lambda: BearerToken(self._tokens.get(account, "")))
        if self._shape(account) != before:
            self._moved(account)

    def _forget(self, account: str) -> None:
        self._tokens.pop(account, None)
        self._secrets.pop(account, None)
        self.served.pop(account, None)

    def _shape(self, account: str) -> Standing | None:
        """What a shard must begin afresh for. A new token is none of that: it is used from the next call on."""
        return self.standing(account) if account in self.served else None

    def _opened(self, sealed: str) -> str | None:
        return None if self._sealing is None else self._sealing.opened(sealed)


def _put(table: dict[str, Any], account: str, value: Any | None) -> None:
    if value is None:
        table.pop(account, None)
    else:
        table[account] = value
