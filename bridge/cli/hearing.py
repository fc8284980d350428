"""What announcements mean for those who wait: whether what was asked for is over, what runs, what is held back. Pure.

Called by `asking` and `watching`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from bridge.cli.exits import Exit
from bridge.contract.announcements import Announcement, Told
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.control import Asked, Control

DONE = frozenset(
    {
        Told.SNAPSHOT_COMPLETED,
        Told.SWEEP_COMPLETED,
        Told.DELETES_RESUMED,
        Told.ACCOUNT_PAUSED,
        Told.ACCOUNT_RESUMED,
        Told.ACCOUNT_DISCONNECTED,
    }
)
GOING = frozenset({Asked.DISCONNECT, Asked.FORGET})
"""Those who ask something else of an account that goes are not served any more."""
ACCEPTED = frozenset({Told.CONTROL_ACCEPTED, Told.ACCOUNT_LEAVING})
FAILED = frozenset({Told.CONTROL_REFUSED, Told.SWEEP_VOID, Told.DELETES_HELD})
RUNNING = frozenset({Told.SNAPSHOT_STARTED, Told.SNAPSHOT_PROGRESS})
SNAPSHOT = RUNNING | {Told.SNAPSHOT_COMPLETED}
SWEPT = frozenset({Told.SWEEP_COMPLETED, Told.SWEEP_VOID, Told.DELETES_RESUMED})


class Hearing:
    """What has been told of a control message so far. Without `wait` its acceptance is enough."""

    def __init__(self, control: Control, *, wait: bool = True) -> None:
        self._control = control
        self._wait = wait
        self._left: Collection[str] = (control.entity,) if control.entity else CATALOGUE.followed

    def ends(self, said: Announcement) -> bool:
        """Whether it says what came of it. A cursor is set when the message is accepted."""
        return said.told in DONE or (said.told is Told.CONTROL_ACCEPTED and self._control.asked is Asked.SET_CURSOR)

    def hear(self, said: Announcement) -> Exit | None:
        """The exit code once it is over."""
        if said.told in FAILED or (said.told is Told.ACCOUNT_DISCONNECTED and self._control.asked not in GOING):
            return Exit.COMMAND
        if said.told in ACCEPTED:
            self._left = said.data.get("entities", self._left)  # those that are followed at all
            return None if self._wait and not self.ends(said) else Exit.OK
        if said.told is Told.SNAPSHOT_COMPLETED:
            self._left = [entity for entity in self._left if entity != said.entity]
        return Exit.OK if said.told in DONE and not (self._control.asked is Asked.SNAPSHOT and self._left) else None


def running(told: Iterable[Announcement]) -> Mapping[tuple[str | None, str | None], Announcement]:
    """Account and entity of each snapshot that has begun and is not done, with the last that was told of it."""
    taken: dict[tuple[str | None, str | None], Announcement] = {}
    for said in told:
        if said.told in RUNNING:
            taken[said.account, said.entity] = said
        elif said.told is Told.SNAPSHOT_COMPLETED:
            taken.pop((said.account, said.entity), None)
    return taken


@dataclass(frozen=True, slots=True)
class Hold:
    """An account's deletes are held back, or, `approved`, being published after an operator said so."""

    account: str
    reason: str
    missing: int
    known: int
    since_ms: int
    """Unix milliseconds."""
    approved: bool = False


def holds(told: Iterable[Announcement]) -> list[Hold]:
    """What is held back now, by account. An approved sweep that is void ends the hold too: it is made again."""
    held: dict[str, Hold] = {}
    for said in told:
        if said.account is None:
            continue
        if said.told is Told.DELETES_HELD:
            data = said.data
            held[said.account] = Hold(
                said.account, str(data.get("reason")), data.get("missing", 0), data.get("known", 0), said.at_ms
            )
        elif said.told in SWEPT:
            held.pop(said.account, None)
        elif _approved(said) and said.account in held:
            held[said.account] = replace(held[said.account], approved=True)
    return [held[account] for account in sorted(held)]


def _approved(said: Announcement) -> bool:
    return said.told is Told.CONTROL_ACCEPTED and said.data.get("asked") == Asked.APPROVE_DELETES
