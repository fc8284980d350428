"""Governing: what is asked about a connected account itself, decided by `policy.standings` and written by its owner.

The owner's truth is a cursor, restored and fenced like all of them: so no two writers ever disagree about a token. The
record on the accounts topic says the same to every replica, in the same transaction. Called by `shard.controlling`, and
by those flows that end or renew what is kept.
"""

from collections.abc import Collection
from dataclasses import dataclass

from bridge.contract.accounts import Connected, Standing, connected_from, entry_record, entry_value, forgotten
from bridge.contract.announcements import Told
from bridge.contract.control import Asked, Control
from bridge.contract.cursors import account_key
from bridge.contract.records import Outgoing
from bridge.policy import standings
from bridge.shard.cursors import cursor_record
from bridge.shard.memory import View
from bridge.shard.ports import Draft
from bridge.shard.publishing import Publishing

_STANDINGS = {
    Asked.PAUSE: Standing.PAUSED,
    Asked.RESUME: Standing.CONNECTED,
    Asked.DISCONNECT: Standing.LEAVING,
    Asked.FORGET: Standing.LEAVING,
}


@dataclass(frozen=True, slots=True)
class Governing:
    """The accounts of one shard. `fixed` are those of the settings, which nobody governs but they."""

    fixed: Collection[str]
    partitions: int
    publishing: Publishing

    def carry_out(self, draft: Draft, control: Control) -> str | tuple[Told, dict[str, object]]:
        """Draft what a control message about the account itself comes to; why not, or what to tell."""
        account, now_ms = control.account, round(self.publishing.clock() * 1000)
        if account in self.fixed:
            return "it is one of the settings: change it there"
        before = read_account(self.publishing.memory.drafted, account)
        if control.sealed is not None:
            self.write(draft, standings.connected(before, account, control.sealed, now_ms))
            return Told.ACCOUNT_CONNECTED, {"again": before is not None}
        forget = control.asked is Asked.FORGET
        after = standings.moved(before, _STANDINGS[control.asked], now_ms, forget=forget)
        if isinstance(after, str) or before is None:
            return str(after)
        self.write(draft, after)
        match after.standing:
            case Standing.PAUSED:
                return Told.ACCOUNT_PAUSED, {"reason": "operator"}
            case Standing.CONNECTED:
                return Told.ACCOUNT_RESUMED, {
                    "reason": "operator", "seconds": round((now_ms - before.standing_ms) / 1000)
                }  # fmt: skip
        return Told.ACCOUNT_LEAVING, {"forget": forget}

    def write(self, draft: Draft, entry: Connected) -> None:
        """Draft what the account is from now on."""
        draft.add(self._cursor(entry.account, entry))
        draft.add(entry_record(entry, self.publishing.names, self.partitions))

    def remove(self, draft: Draft, account: str) -> None:
        """Draft that there is no such account any more."""
        draft.add(self._cursor(account, None))
        draft.add(forgotten(account, self.publishing.names, self.partitions, pending=False))

    def _cursor(self, account: str, entry: Connected | None) -> Outgoing:
        names, shard = self.publishing.names, self.publishing.shard
        return cursor_record(names, shard, account_key(account), None if entry is None else entry_value(entry))


def read_account(view: View, account: str) -> Connected | None:
    """What its owner knows of a connected account."""
    kept = view.cursor(account_key(account))
    return None if kept is None else connected_from(account, kept)
