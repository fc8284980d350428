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
    """The notice of an inbox record; None for anything that this bridge did not write. Never raises, for any bytes."""
    try:
        value: Any = orjson.loads(record.value or b"")
        # Nothing is converted: the text of something nested deep enough is too much for Python's stack
        texts, ids, happened_ms = (
            (value["account"], value["entity"], value["event"]),
            value["ids"],
            value["happened_ms"],
        )
    except (ValueError, TypeError, KeyError):
        return None
    if not all(type(each) is str for each in texts) or type(happened_ms) is not int:
        return None
    if type(ids) is not list or not ids or not all(type(each) is int and 0 < each <= LARGEST_ID for each in ids):
        return None
    return Notice(*texts, tuple(ids), happened_ms)
