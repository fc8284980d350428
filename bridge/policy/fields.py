"""Field policy: what of a record may leave Copper, per entity: which fields are kept, left out, or hashed.

Called by the shard on every record before it is judged, stored, published or answered with. Pure.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.policy.sightings import Record

ALWAYS = ("id", "date_created", "date_modified")
"""What no policy can take away: decisions about changes stand on it."""
CUSTOM = "custom_fields"
_HASHED = re.compile(r"hmac-sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """The policy for one entity.

    Names are top-level fields, `custom_fields` for all of those, or `custom_fields.<definition id>` for one. `allow`
    None lets everything through that is not denied.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)
    """What hashes are keyed with, so that short values cannot be guessed by hashing them."""

    @property
    def mark(self) -> str:
        """What this policy is known by, its key included; other policies have other marks."""
        rules = [None if self.allow is None else sorted(self.allow), sorted(self.deny), sorted(self.hashed)]
        return hmac.new(self.key, repr(rules).encode(), hashlib.sha256).hexdigest()[:16]

    def apply(self, record: Record) -> Record:
        """The record as it may leave. Applying it twice changes nothing more."""
        shown = {}
        for name, value in record.items():
            if name == CUSTOM:
                if self._lets_some_through():
                    shown[name] = self._rows(value) if self.touches(CUSTOM) else value
            elif name in ALWAYS:
                shown[name] = value
            elif self._lets_through(name):
                shown[name] = self._hash(value) if name in self.hashed else value
        return shown

    def touches(self, name: str) -> bool:
        """Whether a top-level field may come out otherwise than it went in."""
        if name == CUSTOM:
            return self.allow is not None or any(each.startswith(CUSTOM) for each in self.deny | self.hashed)
        return name not in ALWAYS and (not self._lets_through(name) or name in self.hashed)

    def _lets_through(self, name: str) -> bool:
        return name not in self.deny and (self.allow is None or name in self.allow)

    def _lets_some_through(self) -> bool:
        some = self.allow is None or any(each.partition(".")[0] == CUSTOM for each in self.allow)
        return some and CUSTOM not in self.deny

    def _rows(self, rows: Any) -> list[Any]:
        """Rows of the list are custom fields; what is none is left out."""
        shown = []
        for row in rows if isinstance(rows, list) else []:
            name = f"{CUSTOM}.{row.get('custom_field_definition_id')}" if isinstance(row, Mapping) else ""
            if not name or name in self.deny or not (self.allow is None or {CUSTOM, name} & self.allow):
                continue
            shown.append({**row, "value": self._hash(row.get("value"))} if {CUSTOM, name} & self.hashed else row)
        return shown

    def _hash(self, value: Any) -> Any:
        """The value with every text in it hashed; numbers have too few values to be hidden so, and become null."""
        if isinstance(value, str):
            return value if not value or _is_hash(value) else self._digest(value)
        if isinstance(value, Mapping):
            return {name: self._hash(each) for name, each in value.items()}
        return [self._hash(each) for each in value] if isinstance(value, list) else None

    def _digest(self, text: str) -> str:
        return "hmac-sha256:" + hmac.new(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def one_version(one: Record, other: Record) -> bool:
    """Whether two forms of a record may be the same version under two policies: where both tell, they tell the same."""
    both = one.keys() & other.keys() - {CUSTOM}
    return all(_alike(one[name], other[name]) for name in both) and _alike(
        _by_definition(one.get(CUSTOM)), _by_definition(other.get(CUSTOM)), partly=True
    )


def _by_definition(rows: Any) -> Mapping[str, Any]:
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return {str(row.get("custom_field_definition_id")): row for row in found}


def _alike(one: Any, other: Any, *, partly: bool = False) -> bool:
    """Whether one value may be the other's hashed form; a hashed number is null. `partly`: either may lack members."""
    if one is None or other is None or _is_hash(one) or _is_hash(other):
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return (partly or one.keys() == other.keys()) and all(
            _alike(one[name], other[name]) for name in one.keys() & other.keys()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is type(other) and bool(one == other)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASHED.fullmatch(value) is not None
