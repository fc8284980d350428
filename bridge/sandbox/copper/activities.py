"""Activities, the seventh entity: notes, calls and meetings on a record.

Called by `routes`. Its `date_modified` equals the activity date and is useless as a cursor, as in Copper's samples; a
deleted activity stays readable as a stub.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.sandbox.copper import links
from bridge.sandbox.copper.answers import Answer, Problem, invalid, not_found, ok
from bridge.sandbox.copper.entities import ACTIVITY, ENTITIES, Record
from bridge.sandbox.copper.filters import as_number
from bridge.sandbox.copper.store import Store
from bridge.sandbox.copper.validation import is_id, unrecognized

WRITABLE = ("type", "parent", "details", "activity_date", "user_id")
ASKED = ("parent", "activity_types", "minimum_activity_date", "maximum_activity_date", "full_result")
PAGING = ("page_number", "page_size")


def create(store: Store, body: Mapping[str, Any], *, by: str = "api") -> Record:
    """Log an activity; an interaction moves its parent's `date_modified` and counters."""
    found = unrecognized(body, WRITABLE)
    found += [Problem(name, "can't be blank") for name in ("type", "parent", "details") if not body.get(name)]
    found += _value_problems(store, body)
    if found:
        raise invalid(*found)
    now = int(store.clock())
    date = int(body.get("activity_date") or now)
    record = {"id": store.next_id(ACTIVITY), "parent": body["parent"], "type": body["type"], "details": body["details"]}
    record |= {"user_id": body.get("user_id") or store.reference.users[0]["id"], "activity_date": date}
    record |= {"old_value": None, "new_value": None, "date_created": now, "date_modified": date}
    store.put("create", ACTIVITY, record, body=body, by=by)
    if store.reference.interaction(body["type"]):
        _count(store, body["parent"], date)
    return record


def read(store: Store, activity_id: int) -> Record:
    """An activity, or the stub of a deleted one."""
    record = store.truth[ACTIVITY].get(activity_id)
    if record is None:
        if (ACTIVITY, activity_id) in store.links:
            return {"id": activity_id, "is_deleted": True}
        raise not_found()
    return record


def update(store: Store, activity_id: int, body: Mapping[str, Any], *, by: str = "api") -> Record:
    """Change an activity's details, date, type or user."""
    before = store.truth[ACTIVITY].get(activity_id)
    if before is None:
        raise not_found()
    if found := unrecognized(body, WRITABLE) + _value_problems(store, body):
        raise invalid(*found)
    after = before | {name: value for name, value in body.items() if value is not None}
    return store.put("update", ACTIVITY, after | {"date_modified": after["activity_date"]}, body=body, by=by)


def delete(store: Store, activity_id: int, *, by: str = "api") -> None:
    """Delete an activity, leaving a stub."""
    if activity_id not in store.truth[ACTIVITY]:
        raise not_found()
    store.remove(ACTIVITY, activity_id, by=by)
    store.links[ACTIVITY, activity_id] = set()


def search(store: Store, body: Mapping[str, Any], *, under: tuple[str, int] | None = None) -> Answer:
    """A page of activities, newest first; `under` are those of one record, a company's with its people's."""
    if found := unrecognized(body, (*ASKED, *PAGING)):
        raise invalid(*found)
    parent = body.get("parent") or {}
    parents = _family(store, under) if under else {(parent["type"], parent["id"])} if parent else None
    rows = [record for record in store.truth[ACTIVITY].values() if _asked_for(record, body, parents)]
    rows.sort(key=lambda record: record["activity_date"], reverse=True)
    size, page = int(as_number(body.get("page_size", 20)) or 20), int(as_number(body.get("page_number", 1)) or 1)
    return ok(rows[(page - 1) * size : page * size], X_PW_TOTAL=str(len(rows)))


def _family(store: Store, ref: tuple[str, int]) -> set[tuple[str, int]]:
    people = {other for other in store.links.get(ref, ()) if ref[0] == "company" and other[0] == "person"}
    return {ref} | people


def _asked_for(record: Record, body: Mapping[str, Any], parents: set[tuple[str, int]] | None) -> bool:
    types: Iterable[Mapping[str, Any]] = body.get("activity_types") or ()
    least, most = as_number(body.get("minimum_activity_date")), as_number(body.get("maximum_activity_date"))
    return (
        (parents is None or (record["parent"]["type"], record["parent"]["id"]) in parents)
        and (not types or any(all(record["type"].get(k) == v for k, v in row.items()) for row in types))
        and (least is None or record["activity_date"] >= least)
        and (most is None or record["activity_date"] <= most)
    )


def _value_problems(store: Store, body: Mapping[str, Any]) -> list[Problem]:
    found = []
    kind, parent = body.get("type"), body.get("parent")
    users = {row["id"] for row in store.reference.activity_types["user"]}
    if kind and (not isinstance(kind, dict) or kind.get("category") != "user" or kind.get("id") not in users):
        found.append(Problem("type", "is invalid"))
    if parent and (not isinstance(parent, dict) or parent.get("type") not in ENTITIES or not is_id(parent.get("id"))):
        found.append(Problem("parent", "is invalid"))
    elif parent and parent["id"] not in store.truth[parent["type"]]:
        found.append(Problem("parent", "does not exist"))
    return found


def _count(store: Store, parent: Mapping[str, Any], date: int) -> None:
    record = store.truth[parent["type"]][parent["id"]]
    changed: dict[str, Any] = {}
    if "interaction_count" in record:
        changed["interaction_count"] = record["interaction_count"] + 1
    if "date_last_contacted" in record:
        changed["date_last_contacted"] = date
    links.touch(store, (parent["type"], parent["id"]), **changed)
