"""Which records belong together: fields that name others, and the relations behind them.

Called by `writing` after every write and by `special` for related items. Adding a relation moves `date_modified` of
both sides, as seen in Copper's own samples.
"""

from typing import Any

from bridge.sandbox.copper.entities import Record
from bridge.sandbox.copper.store import Ref, Store

NAMING = {
    "person": {"company_id": "company"},
    "company": {"primary_contact_id": "person"},
    "opportunity": {"company_id": "company", "primary_contact_id": "person"},
}
"""Fields of an entity that hold the id of a record of another."""
NOTHING = {"task": {"id": None, "type": None}, "project": None}
"""What `related_resource` is when there is none: Copper has two ways."""


def named(entity: str, record: Record | None) -> set[Ref]:
    """The records that a record's own fields name."""
    if record is None:
        return set()
    found = {(other, record[field]) for field, other in NAMING.get(entity, {}).items() if record.get(field)}
    related = record.get("related_resource") or {}
    return found | ({(related["type"], related["id"])} if related.get("id") else set())


def relink(store: Store, entity: str, before: Record | None, after: Record) -> None:
    """Make the relations follow the fields of a record that was written."""
    this = (entity, after["id"])
    old, new = named(entity, before), named(entity, after)
    for other in old - new:
        unlink(store, this, other)
    for other in new - old:
        link(store, this, other)
        touch(store, other)


def link(store: Store, one: Ref, other: Ref) -> None:
    """Relate two records, both ways."""
    store.links.setdefault(one, set()).add(other)
    store.links.setdefault(other, set()).add(one)


def unlink(store: Store, one: Ref, other: Ref) -> None:
    """Undo `link`."""
    store.links.get(one, set()).discard(other)
    store.links.get(other, set()).discard(one)


def touch(store: Store, ref: Ref, **changed: Any) -> None:
    """Move `date_modified` of a record, as something near it happened, unless it is gone or was moved this second."""
    entity, record_id = ref
    record = store.truth[entity].get(record_id)
    now = int(store.clock())
    if record is not None and (changed or record["date_modified"] != now):
        store.put("touch", entity, record | changed | {"date_modified": now}, body={}, by="copper")


def forget(store: Store, ref: Ref) -> None:
    """Remove every trace of a deleted record from the others."""
    for other in store.links.pop(ref, set()):
        store.links.get(other, set()).discard(ref)
        entity, record_id = other
        if record := store.truth[entity].get(record_id):
            touch(store, other, **unnamed(entity, record, ref))


def unnamed(entity: str, record: Record, ref: Ref) -> dict[str, Any]:
    """The fields of a record that named `ref`, emptied."""
    gone, gone_id = ref
    emptied: dict[str, Any] = {
        field: None for field, other in NAMING.get(entity, {}).items() if other == gone and record.get(field) == gone_id
    }
    if "company_id" in emptied:
        emptied["company_name"] = None
    related = record.get("related_resource")
    if related and (related["type"], related["id"]) == ref:
        emptied["related_resource"] = NOTHING[entity]
    return emptied
