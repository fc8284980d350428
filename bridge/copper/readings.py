"""Readings: what a successful answer of Copper must look like, and what is taken from it.

A `Call` names the reading of its answer, `wire.decipher` applies it. A reading never raises for decoded JSON of any
shape: what does not fit is `Misread`, so that an object where a list was promised is noticed at the edge.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from bridge.policy.sightings import Stamp, Trouble, Why


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
    return _each(record, value)


def sighting(value: Any) -> Any:
    """One record with both of its stamps in whole seconds: what decisions about changes stand on."""
    found = record(value)
    if isinstance(found, Misread) or all(type(found.get(stamp.value)) is int for stamp in Stamp):
        return found
    return Misread("a record without whole-second stamps")


def sightings(value: Any) -> Any:
    """A bare array of such records."""
    return _each(sighting, value)


def parts(value: Any) -> Any:
    """An object of records by name, without an id of its own: the answer to a conversion (reference: §9.4)."""
    return value if isinstance(value, dict) else Misread(f"{_kind(value)} where an object was promised")


def viewer(user: Mapping[str, Any], account: Mapping[str, Any]) -> str:
    """A digest of what decides which records a user may see: who it is, its teams, whether permissions by team are on.

    Copper hides rows by team without a word (reference: copper-api.md §2.1).
    """
    groups = user.get("groups")
    teams = sorted(str(row.get("id")) for row in groups if isinstance(row, dict)) if isinstance(groups, list) else []
    settings = account.get("settings")
    switch = settings.get("setting_team_permissions_enabled") if isinstance(settings, dict) else None
    return hashlib.sha256(f"{user['id']}/{','.join(teams)}/{switch}".encode()).hexdigest()[:16]


def having_email(email: str, rows: Reading = records) -> Reading:
    """Those of `rows` that have the address, in any case: Copper does not say how exactly its filter matches (§9.2)."""
    wanted = email.casefold()

    def read(value: Any) -> Any:
        found = rows(value)
        return found if isinstance(found, Misread) else [each for each in found if wanted in _addresses(each)]

    return read


def one_or_many(several: Reading) -> Reading:
    """The only record found by itself, more as a list, none as not found."""

    def read(value: Any) -> Any:
        found = several(value)
        if isinstance(found, Misread):
            return found
        if not found:
            return Trouble(Why.NOT_FOUND, "no record was found")
        return found[0] if len(found) == 1 else found

    return read


def _addresses(found: dict[str, Any]) -> set[str]:
    """A lead has one address, a person a list of them (reference: copper-api.md §1.11)."""
    emails = found.get("emails")
    entries = [found.get("email"), *(emails if isinstance(emails, list) else ())]
    addresses = (entry.get("email") for entry in entries if isinstance(entry, dict))
    return {address.casefold() for address in addresses if isinstance(address, str)}


def _each(reading: Reading, value: Any) -> Any:
    if not isinstance(value, list):
        return Misread(f"{_kind(value)} where a list of records was promised")
    return next((bad for item in value if isinstance(bad := reading(item), Misread)), value)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a bare value")
