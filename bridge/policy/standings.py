"""What becomes of a connected account when somebody connects, pauses, resumes or disconnects it. Pure.

Called by `bridge.shard.governing`, which alone writes what is decided here; the time, in Unix milliseconds, is an
input.
"""

from dataclasses import replace

from bridge.contract.accounts import Connected, Sealed, Standing

NO_SUCH = "no such account was connected"
LEAVES = "it is being disconnected: connect it anew when it is gone"


def connected(before: Connected | None, account: str, sealed: Sealed, now_ms: int) -> Connected:
    """The account with a new token. What its webhooks carry stays; what an operator has paused stays paused."""
    if before is None:
        return Connected(account, sealed, Standing.CONNECTED, now_ms, now_ms)
    fresh = replace(before, sealed=Sealed(sealed.token, before.sealed.secret))
    if before.standing is Standing.LEAVING:
        return replace(fresh, standing=Standing.CONNECTED, standing_ms=now_ms, forget=False)
    return fresh


def moved(before: Connected | None, standing: Standing, now_ms: int, *, forget: bool = False) -> Connected | str:
    """The account standing otherwise, or why not. To leave may be asked again: to forget as well."""
    if before is None:
        return NO_SUCH
    if before.standing is Standing.LEAVING and standing is not Standing.LEAVING:
        return LEAVES
    if before.standing is standing and before.forget == forget:
        return f"it is {standing} already"
    return replace(before, standing=standing, standing_ms=now_ms, forget=forget)
