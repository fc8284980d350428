"""Announcements: what the bridge tells its operators on the topic `copper.bridge.notifications`.

Written by the shard in the transactions of what they tell of; read by the command line and by anybody who wants to be
told. They hold names, counts and reasons: no CRM data, no secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract.records import Headers, Incoming, Outgoing
from bridge.contract.topics import TopicNames


class Told(StrEnum):
    """What can be told; the members of `data` are given with each."""

    CONTROL_ACCEPTED = "control.accepted"
    """A control message is being carried out: `asked`; of a snapshot, `entities` that will each be told of."""
    CONTROL_REFUSED = "control.refused"
    """A control message cannot be carried out: `reason`."""
    SNAPSHOT_STARTED = "snapshot.started"
    """`records` read so far, 0 unless it goes on after a restart; `expected` in all as Copper claims."""
    SNAPSHOT_PROGRESS = "snapshot.progress"
    """`records` read, `expected` in all, `calls` made, `seconds_left` at the present pace or null."""
    SNAPSHOT_COMPLETED = "snapshot.completed"
    """`records` read, `calls` made; `incomplete` if more were created in one second than could be shown to be read."""
    SWEEP_COMPLETED = "sweep.completed"
    """`asked` ids, `missing` in the search, `deleted` events published."""
    SWEEP_VOID = "sweep.void"
    """Nothing can be concluded from the sweep, it is made again later: `reason`."""
    DELETES_HELD = "deletes.held"
    """Nothing deleted is published for the account until somebody decides: `reason`, `missing`, `known`."""
    DELETES_RESUMED = "deletes.resumed"
    """Somebody decided: `decision` approved or rejected, `deleted` events published, `kept` records still there."""
    ACCOUNT_PAUSED = "account.paused"
    """Nothing is asked of Copper for the account. Its credentials are refused, until they work: `reason`. Or an
    operator wants it so, until resumed: `reason` operator."""
    ACCOUNT_RESUMED = "account.resumed"
    """Everything goes on: `reason` as above, `seconds` it took."""
    ACCOUNT_CONNECTED = "account.connected"
    """A customer has connected the account by OAuth: `again` if it was connected before."""
    ACCOUNT_LEAVING = "account.leaving"
    """An operator has disconnected it: `forget` if what is known of its records is to go too."""
    ACCOUNT_DISCONNECTED = "account.disconnected"
    """It is gone. `webhooks`: removed, or left at Copper as the token is no longer good; `tombstones` published for its
    records."""
    COMMAND_SETTLED = "command.settled"
    """A create that was answered `unknown` has come about: `command` is its id, `record_id` and `event_id` what was
    seen of it."""
    LETTER_REDRIVEN = "letter.redriven"
    """A dead letter's command was put back: `letter` is its position, `error`, `redrives` with this one, `to`."""
    LETTER_PARKED = "letter.parked"
    """A dead letter was put back too often, and is among the parked: as above."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to tell. `control_id` is the id of the control message that caused it, if one did."""

    told: Told
    account: str | None
    """None: the control message that is refused named none of ours, or the dead letter none at all."""
    at_ms: int
    """Unix milliseconds."""
    entity: str | None = None
    control_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def announcement_record(announcement: Announcement, names: TopicNames, shard: int) -> Outgoing:
    """The announcement as a record, key the account."""
    value = {
        "type": announcement.told,
        "account": announcement.account,
        "entity": announcement.entity,
        "control_id": announcement.control_id,
        "at_ms": announcement.at_ms,
        "data": announcement.data,
    }
    key = None if announcement.account is None else announcement.account.encode()
    return Outgoing(names.notifications, shard, key, orjson.dumps(value, default=dict), _told(announcement))


def read_announcement(record: Incoming) -> Announcement | None:
    """The announcement of a record; None for anything that is none, or of a type that this version does not know."""
    try:
        value: Any = orjson.loads(record.value or b"")
        return Announcement(
            Told(value["type"]),
            value["account"],
            int(value["at_ms"]),
            value["entity"],
            value["control_id"],
            dict(value["data"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _told(announcement: Announcement) -> Headers:
    moment = datetime.fromtimestamp(announcement.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", _identity(announcement).encode()),
        ("ce_source", b"/copper" if announcement.account is None else f"/copper/{announcement.account}".encode()),
        ("ce_type", f"copper.bridge.{announcement.told}.v1".encode()),
        ("ce_time", moment.replace("+00:00", "Z").encode()),
        ("content-type", b"application/json"),
    )
    if announcement.control_id is not None:
        headers += (("ce_causationid", announcement.control_id.encode()),)
    return headers


def _identity(announcement: Announcement) -> str:
    letter = announcement.data.get("letter")
    about = [announcement.told, announcement.entity, announcement.control_id, letter, announcement.at_ms]
    return ":".join(str(each) for each in about if each is not None)
