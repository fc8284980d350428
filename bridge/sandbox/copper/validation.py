"""Judges the bodies of creates and updates: all problems at once, in Copper's words.

Called by `writing`. Pure. Where Copper's wording is not known, the words are Rails' usual ones: texts may change any
day, and nobody may build on them.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeGuard

from bridge.sandbox.copper.answers import Problem
from bridge.sandbox.copper.entities import Entity

LATEST = 2**31
"""The greatest time stamp Copper takes."""
MONTHS, DAYS = 12, 31
DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
CATEGORIES = {
    "emails": {"work", "personal", "other"},
    "phones": {"mobile", "work", "home", "other"},
    "links": {"work", "personal", "other", "linkedin", "twitter", "googleplus", "facebook", "youtube", "quora"}
    | {"foursquare", "klout", "gravatar"},
}
ENTRY_KEY = {"emails": "email", "phones": "number", "links": "url"}
ADDRESS = {"street", "city", "state", "postal_code", "country"}
Kind = Callable[[Any], str | None]
"""Gives the reason why a value is refused, None if it is taken."""


def is_id(value: Any) -> TypeGuard[int]:
    """Whether Copper takes it for an id."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def unrecognized(body: Mapping[str, Any], known: Collection[str]) -> list[Problem]:
    """The one problem of a body with attributes that nobody knows."""
    strange = ", ".join(name for name in body if name not in known)
    return [Problem("base", f"Unrecognized attributes specified: {strange}")] if strange else []


def problems(
    entity: Entity, body: Mapping[str, Any], definitions: Mapping[int, Mapping[str, Any]], *, creating: bool
) -> list[Problem]:
    """Every reason to refuse a body; uniqueness is the store's to judge."""
    found = unrecognized(body, entity.writable)
    if (creating or "name" in body) and not str(body.get("name") or "").strip():
        found.append(Problem("name", "can't be blank"))
    for name, value in body.items():
        if value is not None and name in entity.writable:
            found += _value_problems(entity, name, value, definitions)
    return found


def _value_problems(
    entity: Entity, name: str, value: Any, definitions: Mapping[int, Mapping[str, Any]]
) -> list[Problem]:
    kind = entity.writable[name]
    if kind == "id":
        return [] if is_id(value) else [bad_id(name, value)]
    if kind == "choice":
        return [] if value in entity.choices[name] else [Problem(name, "is not included in the list")]
    if kind == "related":
        return _related(entity, name, value)
    if kind == "custom_fields":
        return _custom_fields(entity, value, definitions)
    reason = KINDS[kind](value)
    return [Problem(name, reason)] if reason else []


def bad_id(name: str, value: Any) -> Problem:
    """The problem of an id that is none."""
    title = name.replace("_", " ").title()
    return Problem(name, f"Invalid value for {title}: IDs must be positive integers: {value}")


def _related(entity: Entity, name: str, value: Any) -> list[Problem]:
    if not isinstance(value, dict) or value.get("type") not in {*entity.relates_to, None}:
        return [Problem(name, "is invalid")]
    if value.get("type") is None and value.get("id") is None:
        return []
    return [] if is_id(value.get("id")) else [bad_id(name, value.get("id"))]


def _custom_fields(entity: Entity, value: Any, definitions: Mapping[int, Mapping[str, Any]]) -> list[Problem]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return [Problem("custom_fields", "is invalid")]
    found = []
    for entry in value:
        definition = definitions.get(entry.get("custom_field_definition_id", 0))
        if definition is None or entity.name not in definition["available_on"]:
            found.append(
                Problem("custom_fields", f"Invalid custom field definition: {entry.get('custom_field_definition_id')}")
            )
        elif reason := custom_reason(definition["data_type"], entry.get("value")):
            found.append(Problem("custom_fields", f"{definition['name']} {reason}"))
    return found


def custom_reason(data_type: str, value: Any) -> str | None:
    """Why a custom field of that type cannot have the value."""
    if value is None:
        return None
    if data_type in {"String", "Text", "URL"}:
        too_long = data_type == "String" and len(str(value)) > 255  # noqa: PLR2004 - Copper's documented limit
        return "is too long (maximum is 255 characters)" if too_long else _text(value)
    if data_type in {"MultiSelect", "Connect"}:
        return None if isinstance(value, list) else "is invalid"
    if data_type == "Checkbox":
        return None if isinstance(value, bool) else "is invalid"
    return _number(value)


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _number(value: Any) -> str | None:
    return None if isinstance(value, int | float) and not isinstance(value, bool) else "is not a number"


def _stamp(value: Any) -> str | None:
    return _number(value) or (None if 0 <= value <= LATEST else "is invalid")


def _day(value: Any) -> str | None:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return "is invalid"
    first, second, _ = (int(part) for part in value.split("/"))
    return None if 1 <= min(first, second) <= MONTHS and max(first, second) <= DAYS else "is invalid"


def _tags(value: Any) -> str | None:
    return None if isinstance(value, list) and all(isinstance(tag, str) for tag in value) else "is invalid"


def _address(value: Any) -> str | None:
    return None if isinstance(value, dict) and value.keys() <= ADDRESS else "is invalid"


def _entry(kind: str, entry: Any) -> bool:
    key = ENTRY_KEY[kind]
    if not isinstance(entry, dict) or not entry.keys() <= {key, "category"} or not isinstance(entry.get(key), str):
        return False
    return (kind != "emails" or "@" in entry[key]) and entry.get("category") in {*CATEGORIES[kind], None}


def _entries(kind: str) -> Kind:
    return lambda value: (
        None if isinstance(value, list) and all(_entry(kind, entry) for entry in value) else "is invalid"
    )


KINDS: Mapping[str, Kind] = {
    "text": _text,
    "number": _number,
    "stamp": _stamp,
    "day": _day,
    "tags": _tags,
    "address": _address,
    "email": lambda value: None if _entry("emails", value) else "is invalid",
    "emails": _entries("emails"),
    "phones": _entries("phones"),
    "links": _entries("links"),
}
