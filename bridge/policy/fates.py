"""What became of a record that Copper has no more: deleted, converted, or merged into another.

Called by the shard before it publishes a delete. Copper's delete notification says nothing of it: a converted lead is
gone like a deleted one, and the loser of a merge arrives as a delete. A conversion leaves a trace that can be read; a
merge only a suspicion: something unique to the record turns up in another that changed at that time.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from bridge.contract.events import Fate
from bridge.policy.sightings import Record

CONVERTED = "converted"
MERGE_SUSPECTED = "merge-suspected"

_BECAME = {"person": "converted_contact_id", "opportunity": "converted_opportunity_id"}
"""Entity -> the field of a converted lead that names the record."""

_LISTS = {"emails": "email", "phone_numbers": "number", "websites": "url"}
"""Field of a list of objects -> the member that tells one record from others."""

TRAITS: Mapping[str, tuple[str, ...]] = {
    "person": ("emails",),
    "company": ("email_domain", "phone_numbers", "websites"),
    "lead": ("email",),
}
"""What a merge hands on and hardly any two records share; other entities cannot be merged."""


def conversion(lead: Record) -> Fate | None:
    """What a lead was converted into; None for one that was not."""
    if lead.get("converted_at") is None:
        return None
    into = {entity: lead.get(name) for entity, name in _BECAME.items()}
    return Fate(CONVERTED, {entity: found for entity, found in into.items() if type(found) is int})


def merge(entity: str, loser: Record, others: Iterable[Record]) -> Fate | None:
    """The suspicion that a deleted record was merged into one of `others`, which changed when it went."""
    mine = set(_traits(entity, loser))
    for other in others:
        if other["id"] != loser["id"] and mine.intersection(_traits(entity, other)):
            return Fate(MERGE_SUSPECTED, {entity: other["id"]})
    return None


def _traits(entity: str, record: Record) -> Iterator[tuple[str, str]]:
    for name in TRAITS.get(entity, ()):
        for value in _texts(name, record.get(name)):
            yield name, value.casefold()


def _texts(name: str, value: Any) -> Iterator[str]:
    if _is_text(value):
        yield value
    elif isinstance(value, dict):
        yield from _texts(name, value.get("email"))
    elif isinstance(value, list):
        yield from (row[_LISTS[name]] for row in value if isinstance(row, dict) and _is_text(row.get(_LISTS[name])))


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
