"""What is kept of an account's sweeps, as a record of the cursors topic, and what operators are told when it changes.

Shared by `shard.sweeping`, which changes it, `shard.controlling`, which writes operators' decisions into it, and
`shard.noticing`, which holds deletes back while it says so.
"""

from dataclasses import asdict

from bridge.contract.announcements import Announcement, Told
from bridge.policy.sightings import Trouble
from bridge.policy.sweeps import SweepState
from bridge.shard.cursors import cursor_record
from bridge.shard.memory import View
from bridge.shard.ports import Draft
from bridge.shard.publishing import Publishing


def sweep_key(account: str) -> str:
    """The key of the cursor of an account's sweeps."""
    return f"sweep/{account}"


def read_sweeps(view: View, account: str) -> SweepState:
    """What is kept of an account's sweeps."""
    return SweepState.decode(view.cursor(sweep_key(account)))


def write_sweeps(draft: Draft, publishing: Publishing, account: str, state: SweepState) -> None:
    """Keep it."""
    draft.add(cursor_record(publishing.names, publishing.shard, sweep_key(account), asdict(state)))


def news(account: str, before: SweepState, state: SweepState, at_ms: int, void: Trouble | None) -> Announcement | None:
    """What there is to tell of a change of state."""
    sweep = before.sweep
    control_id, only = (sweep.control_id, sweep.only) if sweep else (None, None)
    if void is not None:
        return Announcement(Told.SWEEP_VOID, account, at_ms, only, control_id, {"reason": void.why.value})
    if state.held is not None and before.held is None:
        held = state.held
        data = {"reason": held.reason.value, "missing": held.missing, "known": held.known}
        return Announcement(Told.DELETES_HELD, account, at_ms, None, control_id, data)
    if sweep is None or state.sweep is not None:
        return None
    counts = {"deleted": sweep.deleted, "kept": sweep.kept}
    if sweep.approved:
        return Announcement(Told.DELETES_RESUMED, account, at_ms, None, control_id, {"decision": "approved", **counts})
    data = {"asked": sum(sweep.asked.values()), "missing": sweep.deleted + sweep.kept, **counts}
    return Announcement(Told.SWEEP_COMPLETED, account, at_ms, only, control_id, data)
