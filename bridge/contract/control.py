"""Control messages: what an operator asks of a running bridge, on the topic `copper.bridge.control`.

Written by `copper-bridge snapshot`, `sweep`, `deletes` and `cursor`, or by anything that can produce JSON; read by the
shard that owns the account. Every message is answered on the notifications topic under its id, unreadable ones too.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.moments import moment, utc
from bridge.contract.payloads import did_you_mean
from bridge.contract.records import Incoming, Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

_ID = re.compile(r"[!-~]{1,255}")
_MEMBERS = ("id", "type", "account", "entity", "to")


class Asked(StrEnum):
    """What can be asked."""

    SNAPSHOT = "snapshot"
    """Read every record again and publish each as a snapshot row, or as the change it turns out to be."""
    SWEEP = "sweep"
    """Look for deleted records now."""
    APPROVE_DELETES = "approve-deletes"
    """The deletes that were held back are real: publish them, each confirmed at Copper once more."""
    REJECT_DELETES = "reject-deletes"
    """They are not: forget them, and look again."""
    SET_CURSOR = "set-cursor"
    """Let the next scan of an entity begin earlier than it would."""


ABOUT_ENTITY = frozenset({Asked.SNAPSHOT, Asked.SWEEP, Asked.SET_CURSOR})
"""What may be asked of one entity; the others concern the account."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control message. `entity` None: all entities."""

    id: str
    asked: Asked
    account: str
    entity: str | None = None
    to: int | None = None
    """Of `SET_CURSOR`: the second from which the next scan reads, Unix seconds by Copper's clock."""


@dataclass(frozen=True, slots=True)
class ControlRefused:
    """A control message that cannot be carried out. `reason` says what and how to mend it, without its values."""

    id: str
    account: str | None
    reason: str


def encode_control(control: Control) -> bytes:
    """The value of the record; its key is the account's name."""
    to = None if control.to is None else utc(control.to)
    value = {"id": control.id, "type": control.asked, "account": control.account, "entity": control.entity, "to": to}
    return orjson.dumps({name: member for name, member in value.items() if member is not None})


def control_record(control: Control, names: TopicNames, partitions: int) -> Outgoing:
    """The message as a record in its account's shard."""
    shard = shard_of(control.account, partitions)
    return Outgoing(names.control, shard, control.account.encode(), encode_control(control))


def decode_control(record: Incoming, accounts: Collection[str]) -> Control | ControlRefused:
    """Read a record of the control topic. Never raises, for any bytes.

    A message without an id is known by its place in the topic; without an account it means the only one there is.
    """
    place = str(record.position)
    try:
        value: Any = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return ControlRefused(place, None, "is not JSON")
    if not isinstance(value, dict):
        return ControlRefused(place, None, 'is no JSON object such as {"type": "sweep", "account": "acme"}')
    name = value.get("id", place)
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return ControlRefused(place, None, "id must be 1 to 255 visible ASCII characters")
    account = value.get("account", next(iter(accounts)) if len(accounts) == 1 else None)
    if not isinstance(account, str) or account not in accounts:
        return ControlRefused(name, None, "account must be one of the accounts of this bridge")
    reason = _wrong(value)
    if reason is not None:
        return ControlRefused(name, account, reason)
    to = _second(value["to"]) if "to" in value else None
    return Control(name, Asked(value["type"]), account, value.get("entity"), to)


def _wrong(value: dict[str, Any]) -> str | None:
    unknown = [member for member in value if member not in _MEMBERS]
    if unknown:
        return "has an unknown member" + did_you_mean(unknown[0], _MEMBERS)
    asked, entity = value.get("type"), value.get("entity")
    if not isinstance(asked, str) or asked not in {*Asked}:
        hint = did_you_mean(asked, [*Asked]) if isinstance(asked, str) else ""
        return f"type must be one of {', '.join(Asked)}{hint}"
    if entity is not None and asked not in ABOUT_ENTITY:
        return f"{asked} concerns the account: leave entity out"
    if entity is not None and entity not in CATALOGUE.followed:
        return f"entity must be one of {', '.join(CATALOGUE.followed)}, or left out for all"
    return _wrong_cursor(value) if asked == Asked.SET_CURSOR or "to" in value else None


def _wrong_cursor(value: dict[str, Any]) -> str | None:
    if value["type"] != Asked.SET_CURSOR:
        return f"{value['type']} knows no time: leave to out"
    if value.get("entity") is None:
        return f"entity must be one of {', '.join(CATALOGUE.followed)}"
    try:
        utc(_second(value["to"]))  # an offset may take a time out of the calendar
    except (KeyError, TypeError, ValueError, OverflowError):
        return "to must be a time as RFC 3339 has it, like 2027-01-04T09:12:44Z"
    return None


def _second(text: str) -> int:
    """Nothing was modified before Unix time began."""
    return max(0, math.floor(moment(text)))
