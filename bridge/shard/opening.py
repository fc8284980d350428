"""Opening a shard: all that a session does before its gate opens, in the only right order.

Look: is it ours, and has its owner before us calls under way? Fence: whoever else thinks that it is theirs can commit
no more. Is it still ours? Read what has been committed. Called by `shard.session`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from bridge.contract.cursors import position_key
from bridge.contract.records import Incoming
from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.journal import attempted_since
from bridge.shard.parts import Parts
from bridge.shard.ports import Ledger

HANDOVER_SECONDS = 3.0
"""What an owner that has lost its shard may take to finish its calls, and its successor waits for at most."""
HANDOVER_LOOK_SECONDS = 0.1


async def open_shard(parts: Parts, ledger: Ledger, handover: float) -> None:
    """All that comes before the gate. `handover` is how long a predecessor may take to finish its calls, in seconds.

    Raises:
        SessionEnded: the shard cannot be opened now, or is somebody else's.
    """
    parts.moved("waiting for the group")
    await _refuse_unless_held(parts)
    await _leave_time(parts, handover)
    parts.moved("fencing")
    await ledger.open()
    await _refuse_unless_held(parts)
    await _catch_up(parts)
    parts.memory.prune(parts.retention.journal, parts.retention.tombstones)
    await _refuse_if_cut_off(parts)


async def _leave_time(parts: Parts, seconds: float) -> None:
    """Let the owner before us finish its calls, if the journal shows any: it may live, and has been told when we were.

    Nothing depends on it: a call that is not finished is settled.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until and await _calls_under_way(parts):  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(HANDOVER_LOOK_SECONDS)


async def _calls_under_way(parts: Parts) -> bool:
    try:
        await _catch_up(parts)
    except SessionEnded as problem:
        if problem.ending is Ending.UNSETTLED:
            return True  # it is writing at this moment
        raise
    return attempted_since(parts.memory.known, parts.clock() - HANDOVER_SECONDS)


async def _catch_up(parts: Parts) -> None:
    """Bring the memory to the end of the changelog; one that does not fit it is thrown away first."""
    parts.moved("restoring")
    begins, ends = await parts.changelog.bounds()
    since = parts.memory.offsets()
    saved_at = parts.memory.saved_at()
    outdated = saved_at is not None and parts.clock() - saved_at > parts.retention.memory
    outside = any(not begins[topic] <= since.get(topic, 0) <= end for topic, end in ends.items() if topic in since)
    if outdated or outside:
        parts.memory.discard()
        since = {}

    def learn(records: Sequence[Incoming], offsets: Mapping[str, int]) -> None:
        parts.memory.replay(records, offsets)
        parts.moved(f"restoring: {sum(offsets.values())} of {sum(ends.values())} offsets")

    await parts.changelog.replay(since, ends, learn)


async def _refuse_if_cut_off(parts: Parts) -> None:
    """A position beyond a topic's end would skip all that is written until the end has caught up with it."""
    for topic, end in (await parts.input_ends()).items():
        kept = parts.memory.known.cursor(position_key(topic))
        if kept is not None and kept["next"] > end:
            raise SessionEnded(
                Ending.CUT_OFF,
                f"{topic} ends at {end}, before the position {kept['next']}: it was deleted and made again. Commands "
                "without an id of their own are known by their place in it, so the bridge does not guess: make the "
                "bridge's cursors and journal topics anew as well, or use another topics.prefix",
            )


async def _refuse_unless_held(parts: Parts) -> None:
    if not await parts.membership.holds(parts.shard):
        raise SessionEnded(Ending.LOST, "assigned to another member")
