"""Fates: what became of records that Copper has no more, asked and looked up before their deletes are published.

Shared by noticing and sweeping. What can be read is asked at Copper; what can only be suspected is looked up in the
memory. The decisions are `policy.fates`.
"""

from collections.abc import Mapping, Sequence

from bridge.contract.events import Fate
from bridge.policy import fates
from bridge.policy.sightings import Lane, Record, Trouble
from bridge.shard.memory import View
from bridge.shard.ports import Copper

MERGE_SECONDS = 60
"""The winner of a merge is stamped when the loser goes; its own clock and ours may differ by a little."""


async def lead_fates(copper: Copper, ids: Sequence[int], lane: Lane) -> Mapping[int, Fate | None] | Trouble:
    """What became of leads that are gone by id. One that is not in the answer cannot be told yet.

    The index still shows it as it was: only when the index has caught up, it shows either the converted lead or none.
    """
    rows = await copper.leads(ids, lane)
    if isinstance(rows, Trouble):
        return rows
    shown: Mapping[int, Record] = {row["id"]: row for row in rows}
    found: dict[int, Fate | None] = {record_id: None for record_id in ids if record_id not in shown}
    became = {record_id: fates.conversion(row) for record_id, row in shown.items()}
    return found | {record_id: fate for record_id, fate in became.items() if fate is not None}


def merge_fate(view: View, account: str, entity: str, loser: Record | None, *, since: float) -> Fate | None:
    """The suspicion that a known record was merged into one that has changed since then, Unix seconds."""
    if loser is None or entity not in fates.TRAITS:
        return None
    return fates.merge(entity, loser, view.modified_since(entity, account, int(since) - MERGE_SECONDS))
