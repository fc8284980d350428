"""Control messages: what an operator asks of a running bridge, on the topic `copper.bridge.control`.

Written by `copper-bridge snapshot`, `sweep`, `deletes`, `cursor` and `accounts`, or by anything that can produce JSON;
read by the shard that owns the account. Every message is answered on the notifications topic under its id, unreadable
ones too.
"""

import math
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import orjson

from bridge.contract.accounts import Sealed
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.moments import moment, utc
from bridge.contract.payloads import did_you_mean
from bridge.contract.records import Incoming, Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames

_ID = re.compile(r"[!-~]{1,255}")
_ACCOUNT = re.compile(r"[a-z0-9-]{1,64}")
_MEMBERS = ("id", "type", "account", "entity", "to", "sealed")
_LONGEST_SEALED = 8192


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
    CONNECT = "connect"
    """A customer has consented: the account has a token from now on. The bridge asks this of itself."""
    PAUSE = "pause"
    """Ask nothing of Copper for a connected account until it is resumed."""
    RESUME = "resume"
    """Go on where it was paused."""
    DISCONNECT = "disconnect"
    """Remove a connected account and its webhooks; connected again, it goes on where it was."""
    FORGET = "forget"
    """The same, and publish tombstones for everything that is known of its records."""


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
    sealed: Sealed | None = None
    """Of `CONNECT`: the token, and what webhooks are to carry if the account is new."""


@dataclass(frozen=True, slots=True)
class ControlRefused:
    """A control message that cannot be carried out. `reason` says what and how to mend it, without its values."""

    id: str
    account: str | None
    reason: str


def encode_control(control: Control) -> bytes:
    """The value of the record; its key is the account's name."""
    to = None if control.to is None else utc(control.to)
    sealed = None if control.sealed is None else asdict(control.sealed)
    value: dict[str, Any] = {"id": control.id, "type": control.asked, "account": control.account}
    value |= {"entity": control.entity, "to": to, "sealed": sealed}
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
    if not isinstance(account, str) or not (account in accounts or _is_new(account, value.get("type"))):
        return ControlRefused(name, None, "account must be one of the accounts of this bridge")
    reason = _wrong(value)
    if reason is not None:
        return ControlRefused(name, account, reason)
    to = _second(value["to"]) if "to" in value else None
    sealed = Sealed(**value["sealed"]) if "sealed" in value else None
    return Control(name, Asked(value["type"]), account, value.get("entity"), to, sealed)


def _is_new(account: str, asked: object) -> bool:
    """Who connects for the first time is no account of this bridge yet."""
    return asked == Asked.CONNECT and _ACCOUNT.fullmatch(account) is not None


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
    if (asked == Asked.CONNECT or "sealed" in value) and not _is_sealed(value):
        return "connect is what the bridge asks of itself: send the customer a link instead"
    return _wrong_cursor(value) if asked == Asked.SET_CURSOR or "to" in value else None


def _is_sealed(value: dict[str, Any]) -> bool:
    sealed = value.get("sealed")
    if value["type"] != Asked.CONNECT or not isinstance(sealed, dict) or sealed.keys() != {"token", "secret"}:
        return False
    return all(isinstance(each, str) and 0 < len(each) <= _LONGEST_SEALED for each in sealed.values())


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
