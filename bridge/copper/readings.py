"""Readings: what a successful answer of Copper must look like, and what is taken from it.

A `Call` names the reading of its answer, `wire.decipher` applies it. A reading never raises for decoded JSON of any
shape: what does not fit is `Misread`, so that an object where a list was promised is noticed at the edge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from bridge.policy.sightings import Trouble, Why


@dataclass(frozen=True, slots=True)
class Misread:
    """Why an answer is not what was promised."""

    reason: str


Reading = Callable[[Any], Any]
"""Decoded JSON -> the value promised | `Misread` | `Trouble`."""


_ID_LIMIT = 1 << 63


def is_id(value: object) -> TypeGuard[int]:
    """Copper's ids are positive integers (reference: copper-api.md §4), here of 63 bits; JSON's `true` is none."""
    return type(value) is int and 0 < value < _ID_LIMIT


def record(value: Any) -> Any:
    """One object with an id."""
    if not isinstance(value, dict):
        return Misread(f"{_kind(value)} where one record was promised")
    return value if is_id(value.get("id")) else Misread("a record without an id")


def records(value: Any) -> Any:
    """A bare array of objects with ids, as every list of Copper is (reference: copper-api.md §1.1)."""
    if not isinstance(value, list):
        return Misread(f"{_kind(value)} where a list of records was promised")
    return next((bad for item in value if isinstance(bad := record(item), Misread)), value)


def parts(value: Any) -> Any:
    """An object of records by name, without an id of its own: the answer to a conversion (reference: §9.4)."""
    return value if isinstance(value, dict) else Misread(f"{_kind(value)} where an object was promised")


def having_email(email: str) -> Reading:
    """The lead of that address; several make a list, none is not found.

    How exactly Copper's own filter matches is not documented (reference: copper-api.md §9.2), so each is looked at.
    """
    wanted = email.casefold()

    def read(value: Any) -> Any:
        found = records(value)
        if isinstance(found, Misread):
            return found
        leads = [lead for lead in found if _address(lead).casefold() == wanted]
        if not leads:
            return Trouble(Why.NOT_FOUND, "no lead has this e-mail address")
        return leads[0] if len(leads) == 1 else leads

    return read


def _address(lead: dict[str, Any]) -> str:
    email = lead.get("email")
    address = email.get("email") if isinstance(email, dict) else None
    return address if isinstance(address, str) else ""


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a bare value")
