"""Hindsight: a create that was answered `unknown` is seen after all.

Called by `shard.publishing` for every record that is seen for the first time, inside its transaction. No second reply
is sent: the journal's entry says what was seen, and operators are told.
"""

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.journal import Settled
from bridge.contract.topics import TopicNames
from bridge.policy.changes import Sighting
from bridge.policy.settling import recognizes
from bridge.shard.journal import doubted_mark, read_doubt, settled_record
from bridge.shard.memory import View
from bridge.shard.ports import Draft


def settle_later(
    draft: Draft, view: View, names: TopicNames, shard: int, sighting: Sighting, event_id: str, now: float
) -> Announcement | None:
    """Draft what is to be said if this is the record of a create in doubt: of the oldest, if several ask the same.

    Gives what operators are told. `view` is what the writer sees, `now` Unix seconds.
    """
    account, entity, record = sighting.account, sighting.entity, sighting.record
    for key, entry in view.marked(doubted_mark(account, entity)):
        if not recognizes(read_doubt(entity, entry), record, entry["at"]):
            continue
        settled = Settled(record["id"], event_id, now)
        draft.add(settled_record(names, shard, key, entry, entity, settled))
        data = {"command": key.partition("/")[2], "record_id": record["id"], "event_id": event_id}
        told = Announcement(Told.COMMAND_SETTLED, account, round(now * 1000), entity, data=data)
        draft.add(announcement_record(told, names, shard))
        return told
    return None
