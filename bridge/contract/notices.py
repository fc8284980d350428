"""Notices: webhook notifications as the bridge keeps them in its inbox until their shard has looked them up.

Written by the public web side, read by `bridge.shard.noticing`. A notice is a hint: it names records to look at and
carries none of their data, and no secret.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from bridge.contract.records import Incoming, Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

LARGEST_ID = (1 << 63) - 1
"""Ids are positive and have 63 bits."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened to these records. `event` is created, updated or deleted; `happened_ms` Unix milliseconds."""

    account: str
    entity: str
    event: str
    ids: tuple[int, ...]
    happened_ms: int


def notice_record(notice: Notice, names: TopicNames, partitions: int) -> Outgoing:
    """The notice as a record of the inbox, in its account's shard."""
    value = {
        "account": notice.account,
        "entity": notice.entity,
        "event": notice.event,
        "ids": notice.ids,
        "happened_ms": notice.happened_ms,
    }
    shard = shard_of(notice.account, partitions)
    return Outgoing(names.inbox, shard, notice.account.encode(), orjson.dumps(value))


def read_notice(record: Incoming) -> Notice | None:
    """The notice of an inbox record; None for anything that this bridge did not write."""
    try:
        value: Any = orjson.loads(record.value or b"")
        notice = Notice(
            str(value["account"]),
            str(value["entity"]),
            str(value["event"]),
            tuple(int(record_id) for record_id in value["ids"]),
            int(value["happened_ms"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    return notice if notice.ids and all(0 < record_id <= LARGEST_ID for record_id in notice.ids) else None
