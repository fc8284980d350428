"""Search: filters, sort orders and the quirks of paging, on the lagging index.

Called by `routes` and by `special` for upserts. The common question of a poller (a range of stamps in stamp order) is
answered from the index's orders without looking at other records; everything else filters and sorts.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.copper.answers import Answer, Problem, invalid, ok
from bridge.sandbox.copper.entities import Entity, Record
from bridge.sandbox.copper.filters import RANGES, as_number, filter_of, filters_of
from bridge.sandbox.copper.index import STAMPS, Index, window
from bridge.sandbox.copper.shaping import computed
from bridge.sandbox.copper.store import Store
from bridge.sandbox.copper.validation import unrecognized

PAGING = frozenset({"page_number", "page_size", "sort_by", "sort_direction"})
MAX_PAGE = 200
SORT_VALUE: Mapping[str, Callable[[Record], Any]] = {
    "zip": lambda record: (record.get("address") or {}).get("postal_code"),
    "email": lambda record: (record.get("email") or (record.get("emails") or [None])[0] or {}).get("email"),
    "value": lambda record: record.get("monetary_value"),
    "stage": lambda record: record.get("pipeline_stage_id"),
    "assignee": lambda record: record.get("assignee_id"),
    "assigned_to": lambda record: record.get("assignee_id"),
    "primary_contact": lambda record: record.get("primary_contact_id"),
    "contact_group": lambda record: record.get("contact_type_id"),
    "inactive_days": lambda record: -record["date_modified"],
    "last_interaction": lambda record: record.get("date_last_contacted"),
}
"""Sort keys that are no field of the record; every other is read from the field of its name."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search body, judged. `ranges` maps a stamp to its inclusive bounds, `others` are all further filters."""

    page: int
    size: int
    sort_by: str
    descending: bool
    ranges: Mapping[str, tuple[float | None, float | None]]
    others: Mapping[str, Any]


def search(store: Store, entity: Entity, body: Mapping[str, Any], *, computed_values: bool = False) -> Answer:
    """One page of a search and its X-PW-TOTAL."""
    query = read(entity, body, everywhere=store.knobs.modified_filter_everywhere)
    records, total = rows(store, entity, query)
    if len(records) > 1 and store.random.random() < store.knobs.short_page_probability:
        del records[store.random.randrange(1, len(records)) :]
    if computed_values:
        records = [computed(record, store.reference) for record in records]
    return ok(records, X_PW_TOTAL=str(total + store.random.randint(0, store.knobs.total_over)))


def read(entity: Entity, body: Mapping[str, Any], *, everywhere: bool) -> Query:
    """The question a body asks.

    Raises:
        Refusal: 422 with every problem.
    """
    known = PAGING | filters_of(entity, everywhere=everywhere)
    found = unrecognized(body, known)
    page, size = as_number(body.get("page_number", 1)), as_number(body.get("page_size", 20))
    sort_by, direction = body.get("sort_by") or _default_sort(entity), body.get("sort_direction") or "asc"
    if page is None or page < 1:
        found.append(Problem("page_number", "must be greater than 0"))
    if size is None or not 1 <= size <= MAX_PAGE:
        found.append(Problem("page_size", f"must be between 1 and {MAX_PAGE}"))
    if sort_by not in entity.sorts:
        found.append(Problem("sort_by", "is not included in the list"))
    if direction not in {"asc", "desc"}:
        found.append(Problem("sort_direction", "is not included in the list"))
    filters = {name: value for name, value in body.items() if name not in PAGING and value is not None}
    for name, value in filters.items():
        if name in known and (reason := filter_of(entity.name, name).reason(value)):
            found.append(Problem(name, reason))
    if found or page is None or size is None:
        raise invalid(*found)
    ranges = {stamp: _bounds(filters, stamp) for stamp in STAMPS}
    others = {name: value for name, value in filters.items() if name not in RANGES}
    return Query(int(page), int(size), sort_by, direction == "desc", ranges, others)


def rows(store: Store, entity: Entity, query: Query) -> tuple[list[Record], int]:
    """The records of one page and how many match in all."""
    index = store.visible(entity.name)
    unseen = any(kind == entity.name for kind, _ in store.hidden)
    start = (query.page - 1) * query.size
    count = max(0, min(query.size, store.knobs.search_depth - start))
    elsewhere = any(query.ranges[stamp] != (None, None) for stamp in STAMPS if stamp != query.sort_by)
    if query.sort_by in STAMPS and not query.others and not elsewhere and not unseen:
        ties = store.random if store.knobs.unstable_ties else None
        bounds = index.between(query.sort_by, *query.ranges[query.sort_by])
        ids = window(
            index.orders[query.sort_by], bounds, start=start, count=count, descending=query.descending, ties=ties
        )
        return [index.shown[record_id] for record_id in ids], bounds[1] - bounds[0]
    matching = matches(store, entity.name, query)
    if store.knobs.unstable_ties:
        store.random.shuffle(matching)
    value = SORT_VALUE.get(query.sort_by) or operator.methodcaller("get", query.sort_by)
    matching.sort(key=lambda record: _sortable(value(record)), reverse=query.descending)
    return matching[start : start + count], len(matching)


def matches(store: Store, entity: str, query: Query) -> list[Record]:
    """Every record in the index that a query asks for, in no order."""
    tests = [filter_of(entity, name).test(value, store) for name, value in query.others.items() if name != "ids"]
    candidates = _candidates(store.visible(entity), query)
    seen = [record for record in candidates if (entity, record["id"]) not in store.hidden]
    return [record for record in seen if all(test(record) for test in tests)]


def _candidates(index: Index, query: Query) -> list[Record]:
    converted = bool(query.others.get("include_converted_leads"))
    if "ids" in query.others:
        ids = list(dict.fromkeys(query.others["ids"]))
    elif converted:
        ids = list(index.shown)
    else:
        stamp = query.sort_by if query.sort_by in STAMPS else "date_modified"
        low, high = index.between(stamp, *query.ranges[stamp])
        ids = [record_id for _, record_id in index.orders[stamp][low:high]]
    found = [index.shown[record_id] for record_id in ids if record_id in index.shown]
    if any(bounds != (None, None) for bounds in query.ranges.values()):
        found = [record for record in found if _in_range(record, query)]
    return found if converted else [record for record in found if not record.get("converted_at")]


def _in_range(record: Record, query: Query) -> bool:
    return all(
        (least is None or record[stamp] >= least) and (most is None or record[stamp] <= most)
        for stamp, (least, most) in query.ranges.items()
    )


def _bounds(filters: Mapping[str, Any], stamp: str) -> tuple[float | None, float | None]:
    name = stamp.removeprefix("date_")
    return as_number(filters.get(f"minimum_{name}_date")), as_number(filters.get(f"maximum_{name}_date"))


def _default_sort(entity: Entity) -> str:
    return {"person": "first_name", "company": "date_modified", "task": "due_date"}.get(entity.name, "name")


def _sortable(value: Any) -> tuple[bool, float, str]:
    if isinstance(value, int | float):
        return True, value, ""
    return (False, 0, "") if value is None else (True, 0, str(value).lower())
