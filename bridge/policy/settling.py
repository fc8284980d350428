"""Settling: what to make of a call that may have been carried out, given what Copper shows afterwards.

Called by `shard.attempting` when an attempt has no result: the call timed out, was cut off, or the process died. Per
action a pure decision on what a look shows. The look must wait until the call can no longer take effect, and, where it
goes through the search index, until the index shows it. Never a second create while the first may still land.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from bridge.contract.events import content_hash
from bridge.policy.sightings import Record

HELD_SECONDS = 2.0
"""From the beginning of an attempt's commit to the first byte of its request at most. Whoever was held up longer, by a
slow Kafka or because the process was paused, may have lost the shard meanwhile and does not send."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long effects may take to show, in seconds.

    `timeout`: a call is given up. `lateness`: after that Copper may still carry it out. `index_lag`: until search shows
    it.
    """

    timeout: float
    lateness: float
    index_lag: float

    def before(self, look: "Look") -> float:
        """Seconds from the moment a call was sent, or its sender was fenced, until a look tells the truth."""
        held = HELD_SECONDS + self.timeout + self.lateness
        return held + (self.index_lag if look is Look.SEARCH else 0.0)


class Look(Enum):
    """How to find out."""

    GET = "get"
    SEARCH = "search"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out. `record` as it is now; None when it is gone, as asked."""

    record: Record | None


@dataclass(frozen=True, slots=True)
class SendAgain:
    """It was not carried out, or doing it again does no harm."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """It cannot be settled. `detail` tells the caller what to look for."""

    detail: str


Verdict = Done | SendAgain | Undecided
Found = Sequence[Record]


def _delete(_sent: Mapping[str, Any], _before: str | None, found: Found) -> Verdict:
    return SendAgain() if found else Done(None)


def _update(sent: Mapping[str, Any], before: str | None, found: Found) -> Verdict:
    if not found:
        return Undecided("the record is gone: whether the update came first cannot be told")
    record = found[0]
    if fields_equal(sent, record):
        return Done(record)
    if before is not None and content_hash(record).startswith(before):
        return SendAgain()
    return Undecided("somebody else has changed the record since: compare its fields with what was to be written")


def _upsert(sent: Mapping[str, Any], _before: str | None, found: Found) -> Verdict:
    return Done(found[0]) if len(found) == 1 and fields_equal(sent, found[0]) else SendAgain()


def _convert(_sent: Mapping[str, Any], _before: str | None, found: Found) -> Verdict:
    if found:
        return SendAgain()
    return Undecided("the lead is gone: look for the person, company and opportunity it may have become")


def _create(_sent: Mapping[str, Any], _before: str | None, _found: Found) -> Verdict:
    return Undecided("the record may have been created: look for one with these values before asking for it again")


_TABLE: Mapping[str, tuple[Look, Callable[[Mapping[str, Any], str | None, Found], Verdict]]] = MappingProxyType(
    {
        "delete": (Look.GET, _delete),
        "update": (Look.GET, _update),
        "upsert": (Look.SEARCH, _upsert),
        "convert": (Look.GET, _convert),
        "create": (Look.NONE, _create),
    }
)


def look_for(action: str) -> Look:
    """How to find out about an action with an effect."""
    return _TABLE[action][0]


def settle(action: str, *, sent: Mapping[str, Any], before: str | None, found: Found) -> Verdict:
    """Decide. `before` is the content hash journaled ahead of the call; `found` is what the look showed."""
    return _TABLE[action][1](sent, before, found)


def fields_equal(sent: Mapping[str, Any], record: Record) -> bool:
    """Whether a record has every value that was sent, in spite of what Copper makes of values.

    Copper keeps tags in lower case, at 50 characters and in its own order, e-mail addresses in either case, dates as
    text without leading zeros, web addresses with a scheme, telephone numbers with or without spaces; empty and absent
    are the same to it. Parts that were not sent (the category of an e-mail) may be anything.
    """
    return all(_equal(name, value, record.get(name)) for name, value in sent.items())


def _equal(name: str, sent: Any, found: Any) -> bool:
    if name == "custom_fields" and isinstance(sent, list) and isinstance(found, list):
        values = {field["custom_field_definition_id"]: field.get("value") for field in found}
        return all(
            _equal("value", field.get("value"), values.get(field["custom_field_definition_id"])) for field in sent
        )
    if _empty(sent) or _empty(found):
        return _empty(sent) and _empty(found)
    if isinstance(sent, Mapping) and isinstance(found, Mapping):
        return all(_equal(part, value, found.get(part)) for part, value in sent.items())
    if isinstance(sent, list | tuple) and isinstance(found, list | tuple):
        return _equal_lists(name, sent, found)
    return bool(_plain(name, sent) == _plain(name, found))


def _equal_lists(name: str, sent: Sequence[Any], found: Sequence[Any]) -> bool:
    """Whether each item that was sent is there once, in any order, and nothing else."""
    left = list(found)
    if name == "tags":
        return {_plain(name, str(tag)) for tag in sent} == {_plain(name, str(tag)) for tag in found}
    for item in sent:
        place = next((index for index, each in enumerate(left) if _equal(name, item, each)), None)
        if place is None:
            return False
        del left[place]
    return not left


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_empty, value.values()))
    return value is None or value in ("", [])


def _plain(name: str, value: Any) -> Any:
    """A single value without the differences that Copper makes."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return _AS_COPPER_KEEPS[name](text) if name in _AS_COPPER_KEEPS else text


def _web_address(text: str) -> str:
    return text.casefold().removeprefix("https://").removeprefix("http://").removesuffix("/")


_AS_COPPER_KEEPS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "tags": lambda text: text[:50].strip().lower(),
        "email": str.casefold,
        "url": _web_address,
        "number": lambda text: "".join(sign for sign in text if sign.isalnum() or sign == "+"),
        "close_date": lambda text: [part.lstrip("0") for part in text.split("/")],
    }
)
