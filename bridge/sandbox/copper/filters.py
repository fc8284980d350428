"""The filters of search, one row each: which entities have them, what values they take, which records pass.

Read by `search`. Several filters are joined by AND. Pure but for the clock and links of the store that a test asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.sandbox.copper.custom_filter import custom_fields
from bridge.sandbox.copper.entities import OPPORTUNITY_STATUSES, PRIORITIES, TASK_STATUSES, Entity, Record
from bridge.sandbox.copper.store import Store
from bridge.sandbox.copper.validation import LATEST, is_id

Passes = Callable[[Record], bool]
NONE = -2
"""In a list of ids: records that have none."""
CONTACTS = frozenset({"person", "company", "lead"})
DEALS = frozenset({"lead", "opportunity"})
ALL = frozenset({"person", "company", "lead", "opportunity", "task", "project"})
WITH_MODIFIED = ALL - {"person", "company"}
RANGES = frozenset(f"{edge}_{stamp}_date" for edge in ("minimum", "maximum") for stamp in ("modified", "created"))
"""Filters that the index answers by itself."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`reason` tells why a value is refused (None: taken); `test` makes the test of a taken value."""

    entities: frozenset[str]
    reason: Callable[[Any], str | None]
    test: Callable[[Any, Store], Passes]


def filters_of(entity: Entity, *, everywhere: bool) -> frozenset[str]:
    """Names of the filters an entity has; `everywhere` adds the modified dates that people and companies lack."""
    own = {name.rpartition(".")[2] for name, row in FILTERS.items() if entity.name in row.entities}
    return frozenset(own | ({"minimum_modified_date", "maximum_modified_date"} if everywhere else set()))


def filter_of(entity: str, name: str) -> Filter:
    """The row of a filter; leads have some of their own."""
    return FILTERS.get(f"{entity}.{name}") or FILTERS[name]


def as_number(value: Any) -> float | None:
    """A number, or the text of one, which Copper takes too."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> str | None:
    return "is not a number" if as_number(value) is None else None


def _stamp(value: Any) -> str | None:
    number = as_number(value)
    return "is not a number" if number is None else None if number <= LATEST else "is out of range"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _texts(value: Any) -> str | None:
    return None if isinstance(value, list) and all(isinstance(item, str) for item in value) else "must be a list"


def _ids(value: Any) -> str | None:
    if not isinstance(value, list):
        return "must be a list"
    wrong = [str(item) for item in value if not is_id(item) and item not in (NONE, 0)]
    return f"Invalid value: IDs must be positive integers: {', '.join(wrong)}" if wrong else None


def _anything(_: Any) -> str | None:
    return None


def _tag_choice(value: Any) -> str | None:
    return _texts(value.get("value") if isinstance(value, dict) else value)


def _conditions(value: Any) -> str | None:
    rows = value if isinstance(value, list) else [value]
    right = all(isinstance(row, dict) and is_id(row.get("custom_field_definition_id")) for row in rows)
    return None if right else "is invalid"


def _one_of(field: str) -> Callable[[Any, Store], Passes]:
    return lambda value, _: lambda record: (NONE if record.get(field) is None else record[field]) in value


def _place_in(words: tuple[str, ...], field: str) -> Callable[[Any, Store], Passes]:
    return lambda value, _: lambda record: words.index(record[field]) in value if record.get(field) in words else False


def _bound(edge: str, read: Callable[[Record], float | None]) -> Callable[[Any, Store], Passes]:
    def test(value: Any, _: Store) -> Passes:
        limit = float(value)
        least, most = (limit, float("inf")) if edge == "minimum" else (float("-inf"), limit)
        return lambda record: (held := read(record)) is not None and least <= held <= most

    return test


def _same(read: Callable[[Record], list[Any]]) -> Callable[[Any, Store], Passes]:
    """Any of the record's values equals any of the asked ones, whatever the case."""

    def test(value: Any, _: Store) -> Passes:
        asked = {str(item).lower() for item in (value if isinstance(value, list) else [value])}
        return lambda record: any(str(held).lower() in asked for held in read(record) if held is not None)

    return test


def _address(part: str) -> Filter:
    return Filter(CONTACTS, _anything, _same(lambda record: [(record.get("address") or {}).get(part)]))


def _emails(record: Record) -> list[Any]:
    return [entry["email"] for entry in record.get("emails") or [record.get("email")] if entry]


def _phone(value: Any, _: Store) -> Passes:
    asked = "".join(filter(str.isdigit, str(value["value"] if isinstance(value, dict) else value)))
    return lambda record: any(
        asked in "".join(filter(str.isdigit, entry["number"])) for entry in record["phone_numbers"]
    )


def _tags(value: Any, _: Store) -> Passes:
    asked = set(value["value"] if isinstance(value, dict) else value)
    if isinstance(value, dict) and value.get("option") == "ALL":
        return lambda record: asked <= set(record["tags"])
    return lambda record: bool(asked & set(record["tags"])) or (not asked and not record["tags"])


def _opportunities(value: Any, store: Store) -> Passes:
    people = {ref for record_id in value for ref in store.links.get(("opportunity", record_id), ())}
    return lambda record: (
        ("person", record["id"]) in people if "emails" in record else _related(record, "opportunity") in value
    )


def _projects(value: Any, _: Store) -> Passes:
    return lambda record: _related(record, "project") in value


def _related(record: Record, entity: str) -> int:
    related = record.get("related_resource") or {}
    return related["id"] if related.get("type") == entity else NONE


def _age(value: Any, store: Store) -> Passes:
    return lambda record: store.clock() - record["date_created"] <= float(value)


def _close_date(record: Record) -> float | None:
    if not record.get("close_date"):
        return None
    month, day, year = (int(part) for part in record["close_date"].split("/"))
    return datetime(year, month, day, tzinfo=UTC).timestamp()


def _ranges() -> dict[str, Filter]:
    rows: list[tuple[str, frozenset[str], Callable[[Record], float | None], Callable[[Any], str | None]]] = [
        ("monetary_value", DEALS, lambda record: record["monetary_value"], _number),
        ("interaction_count", CONTACTS | DEALS, lambda record: record["interaction_count"], _number),
        ("interaction_date", CONTACTS | DEALS, lambda record: record.get("date_last_contacted"), _stamp),
        ("close_date", frozenset({"opportunity"}), _close_date, _stamp),
        ("stage_change_date", frozenset({"opportunity"}), lambda record: record["date_stage_changed"], _stamp),
        ("due_date", frozenset({"task"}), lambda record: record["due_date"], _stamp),
        ("created_date", ALL, lambda record: record["date_created"], _stamp),
        ("modified_date", WITH_MODIFIED, lambda record: record["date_modified"], _stamp),
    ]
    return {
        f"{edge}_{name}": Filter(entities, reason, _bound(edge, read))
        for name, entities, read, reason in rows
        for edge in ("minimum", "maximum")
    }


def _status_ids(value: Any, store: Store) -> Passes:
    del store

    def passes(record: Record) -> bool:
        if "status_id" in record:
            return record["status_id"] in value
        words = OPPORTUNITY_STATUSES if "pipeline_id" in record else TASK_STATUSES
        return words.index(record["status"]) in value

    return passes


def _only(*entities: str) -> frozenset[str]:
    return frozenset(entities)


FILTERS: dict[str, Filter] = {
    "ids": Filter(ALL, _ids, lambda value, _: lambda record: record["id"] in value),
    "name": Filter(CONTACTS | _only("opportunity", "project"), _text, _same(lambda record: [record["name"]])),
    "phone_number": Filter(CONTACTS, _anything, _phone),
    "email_domains": Filter(_only("company"), _anything, _same(lambda record: [record["email_domain"]])),
    "emails": Filter(_only("person"), _texts, _same(_emails)),
    "lead.emails": Filter(_only("lead"), _text, _same(_emails)),
    "contact_type_ids": Filter(_only("person", "company"), _ids, _one_of("contact_type_id")),
    "assignee_ids": Filter(ALL, _ids, _one_of("assignee_id")),
    "company_ids": Filter(_only("person", "opportunity"), _ids, _one_of("company_id")),
    "primary_contact_ids": Filter(_only("opportunity"), _ids, _one_of("primary_contact_id")),
    "opportunity_ids": Filter(_only("person", "task"), _ids, _opportunities),
    "project_ids": Filter(_only("task"), _ids, _projects),
    "status_ids": Filter(_only("lead", "opportunity", "project"), _ids, _status_ids),
    "statuses": Filter(_only("task"), _texts, lambda value, _: lambda record: record["status"] in value),
    "customer_source_ids": Filter(DEALS, _ids, _one_of("customer_source_id")),
    "pipeline_ids": Filter(_only("opportunity"), _ids, _one_of("pipeline_id")),
    "pipeline_stage_ids": Filter(_only("opportunity"), _ids, _one_of("pipeline_stage_id")),
    "priority_ids": Filter(_only("opportunity"), _ids, _place_in(PRIORITIES, "priority")),
    "loss_reason_ids": Filter(_only("opportunity"), _ids, _one_of("loss_reason_id")),
    "city": _address("city"),
    "state": _address("state"),
    "postal_code": _address("postal_code"),
    "country": _address("country"),
    "socials": Filter(CONTACTS, _anything, _same(lambda record: [entry["url"] for entry in record["socials"]])),
    "tags": Filter(ALL, _tag_choice, _tags),
    "followed": Filter(ALL, _number, lambda value, _: lambda record: as_number(value) == 2),  # noqa: ARG005, PLR2004 - 1 followed, 2 not; nobody follows here
    "age": Filter(CONTACTS, _number, _age),
    "include_converted_leads": Filter(_only("lead"), _anything, lambda *_: lambda _: True),
    "custom_fields": Filter(ALL, _conditions, custom_fields),
    **_ranges(),
}
