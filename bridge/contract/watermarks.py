"""Watermarks: up to when everything has been published, per account and entity, on `copper.bridge.watermarks`.

Written by the shard with the end of every scan; read by consumers who want to wait for a moment. What is promised rests
on one assumption, the setting `copper.index_lag`: what came later was caught by the deep pass, and is counted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge.contract.records import Incoming, Outgoing
from bridge.contract.topics import TopicNames


@dataclass(frozen=True, slots=True)
class Watermark:
    """A statement about one entity of one account. All times are Unix seconds by Copper's clock."""

    account: str
    entity: str
    complete_to: int
    """Every version stamped up to here that Copper's search can show has been published."""
    searched_at: int
    """When the scan that says so began."""
    claimed: int | None
    """Copper's own count of what the scan asked for: an upper bound; None where a search cannot be bounded."""
    seen: int
    """Different records that the scan read."""
    events: Mapping[str, int] = field(default_factory=dict)
    """Events published since the watermark before, by the path that saw them first; not kept over a restart."""
    deep_at: int | None = None
    """When the last deep pass ended."""
    swept_at: int | None = None
    """When the last sweep ended."""


def watermark_record(watermark: Watermark, names: TopicNames, shard: int) -> Outgoing:
    """The watermark as a record, key `<account>/<entity>`."""
    value = {
        "account": watermark.account,
        "entity": watermark.entity,
        "complete_to": watermark.complete_to,
        "searched_at": watermark.searched_at,
        "claimed": watermark.claimed,
        "seen": watermark.seen,
        "events": watermark.events,
        "deep_at": watermark.deep_at,
        "swept_at": watermark.swept_at,
    }
    key = f"{watermark.account}/{watermark.entity}".encode()
    return Outgoing(names.watermarks, shard, key, orjson.dumps(value, default=dict))


def read_watermark(record: Incoming) -> Watermark | None:
    """The watermark of a record; None for anything that is none."""
    try:
        value: Any = orjson.loads(record.value or b"")
        return Watermark(**{name: value[name] for name in Watermark.__dataclass_fields__})
    except (ValueError, TypeError, KeyError):
        return None
