"""The search filter on custom fields. A row of `filters`.

Only filterable definitions can be asked for, and no text: a Float is what a caller can find its own mark by.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.sandbox.copper.answers import Problem, invalid
from bridge.sandbox.copper.entities import Record
from bridge.sandbox.copper.store import Store

TEXTS = ("String", "Text", "URL")


def custom_fields(value: Any, store: Store) -> Callable[[Record], bool]:
    """The test of one or several conditions, all of which must hold.

    Raises:
        Refusal: a definition is unknown or cannot be searched.
    """
    conditions = value if isinstance(value, list) else [value]
    for condition in conditions:
        definition = store.reference.custom_fields.get(condition["custom_field_definition_id"])
        if definition is None or not definition["is_filterable"] or definition["data_type"] in TEXTS:
            raise invalid(Problem("custom_fields", "Custom field is not filterable"))
    return lambda record: all(_custom_field(record, condition) for condition in conditions)


def _custom_field(record: Record, condition: Mapping[str, Any]) -> bool:
    wanted = condition["custom_field_definition_id"]
    held = next((e["value"] for e in record["custom_fields"] if e["custom_field_definition_id"] == wanted), None)
    if held in (None, []):
        return bool(condition.get("allow_empty"))
    if "value" not in condition:
        return _between(held, condition.get("minimum_value"), condition.get("maximum_value"))
    asked = condition["value"] if isinstance(condition["value"], list) else [condition["value"]]
    if not isinstance(held, list):
        return held in asked
    hits = [item in held for item in asked]
    return {"ALL": all(hits), "NONE": not any(hits)}.get(condition.get("option", "ANY"), any(hits))


def _between(held: Any, least: float | None, most: float | None) -> bool:
    return (least is None or held >= least) and (most is None or held <= most)
