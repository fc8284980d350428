"""Custom fields by name: their values as Copper takes them, by the type of each field.

Called by `policy.naming` for `custom_fields` written as an object. Pure. A value of a type that is new to us is handed
on as it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from bridge.policy.matching import Miss, Named, absent, called, pick

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def definition(key: str, among: Sequence[Named]) -> Named | Miss:
    """The custom field that a key names, by name or by id; `among` are those that the entity has."""
    found = {each.id: each for each in [*called(key, among), *_of_id(key.strip(), among)]}
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        return absent(key, [each.name for each in among], "custom field here")
    return Miss(
        f"there are several of this name, with the ids {', '.join(map(str, found))}: use one of those as the key"
    )


def value(field: Named, given: Any) -> Any | Miss:
    """What Copper takes for `given`; null clears a field of any type."""
    read = _TYPES.get(field.data_type)
    return given if read is None or given is None else read(field, given)


def _of_id(key: str, among: Sequence[Named]) -> list[Named]:
    return [each for each in among if key == str(each.id)]


def _text(_field: Named, given: Any) -> Any | Miss:
    return given if isinstance(given, str) else Miss("must be a string")


def _number(_field: Named, given: Any) -> Any | Miss:
    return given if _is_number(given) else Miss("must be a number")


def _whole(_field: Named, given: Any) -> Any | Miss:
    return int(given) if _is_number(given) and given % 1 == 0 else Miss("must be a whole number")


def _truth(_field: Named, given: Any) -> Any | Miss:
    return given if isinstance(given, bool) else Miss("must be true or false")


def _date(_field: Named, given: Any) -> Any | Miss:
    """Midnight UTC of the day (reference: copper-api.md §8.4)."""
    if type(given) is int:
        return given
    if isinstance(given, str) and _DAY.fullmatch(given.strip()):
        try:
            return int(datetime.fromisoformat(given.strip()).replace(tzinfo=UTC).timestamp())
        except ValueError:
            pass
    return Miss("must be a date such as 2026-12-01, or its midnight UTC in Unix seconds")


def _option(field: Named, given: Any) -> Any | Miss:
    if isinstance(given, str):
        found = pick(given, field.parts, "option", "use one of those")
        return found if isinstance(found, Miss) else found.id
    if type(given) is int:
        known = _of_id(str(given), field.parts)
        return known[0].id if known else absent("", [each.name for each in field.parts], "option")
    return Miss("must be the name of an option, or its id")


def _options(field: Named, given: Any) -> Any | Miss:
    if not isinstance(given, list):
        return Miss("must be a list of options")
    found = [_option(field, each) for each in given]
    return next((each for each in found if isinstance(each, Miss)), [*dict.fromkeys(found)])


def _link(_field: Named, _given: Any) -> Miss:
    return Miss("is a field of links to other records, which cannot be written here")


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


_TYPES: Mapping[str, Callable[[Named, Any], Any]] = MappingProxyType(
    {
        "String": _text,
        "Text": _text,
        "URL": _text,
        "Float": _number,
        "Currency": _number,
        "Percentage": _whole,
        "Checkbox": _truth,
        "Date": _date,
        "Dropdown": _option,
        "MultiSelect": _options,
        "Connect": _link,
    }
)
"""Copper's `data_type` to how a value of it is read."""
