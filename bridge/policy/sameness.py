"""Sameness: whether a record has the values that were sent, in spite of what Copper makes of values.

Called by `policy.settling` for calls in doubt and by `shard.checking` for what a caller expects. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bridge.policy.sightings import Record

_LEFT_ALONE = (
    "details", "tags", "emails", "email", "phone_numbers", "socials", "title", "address", "monetary_value", "due_date",
    "reminder_date", "close_date",
)  # fmt: skip
"""Fields that stay empty when a create does not send them; others Copper derives from the rest, or has a default."""


def exactly(sent: Mapping[str, Any], record: Record) -> bool:
    """Whether a record is what a create of these values makes: they are there, and nothing that only a writer adds."""
    return fields_equal(sent, record) and all(_empty(record.get(name)) for name in _LEFT_ALONE if name not in sent)


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
