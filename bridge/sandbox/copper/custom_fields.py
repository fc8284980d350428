"""Custom field definitions: made, changed and deleted through the API. Called by `routes`.

Records show one entry per definition that existed when they were last written.
"""

from collections.abc import Mapping
from typing import Any

from bridge.sandbox.copper.answers import Problem, invalid, not_found
from bridge.sandbox.copper.reference_data import ReferenceData
from bridge.sandbox.copper.validation import unrecognized

DATA_TYPES = (
    "String",
    "Text",
    "Dropdown",
    "Date",
    "Checkbox",
    "Float",
    "URL",
    "Percentage",
    "Currency",
    "Connect",
    "MultiSelect",
)
WRITABLE = ("name", "data_type", "available_on", "options", "currency", "is_filterable")


def create(reference: ReferenceData, body: Mapping[str, Any]) -> dict[str, Any]:
    """Define a custom field."""
    found = unrecognized(body, WRITABLE)
    found += [Problem(name, "can't be blank") for name in ("name", "data_type") if not body.get(name)]
    if body.get("data_type") and body["data_type"] not in DATA_TYPES:
        found.append(Problem("data_type", "is not included in the list"))
    if found:
        raise invalid(*found)
    row = {"id": max(reference.custom_fields, default=50_310) + 1, "available_on": [], "is_filterable": True, **body}
    if "options" in row:
        row["options"] = [_option(row["id"], rank, option) for rank, option in enumerate(body["options"])]
    reference.custom_fields[row["id"]] = row
    return row | {"canonical_name": None}


def read(reference: ReferenceData, definition_id: int) -> dict[str, Any]:
    """One definition."""
    if definition_id not in reference.custom_fields:
        raise not_found()
    return reference.custom_fields[definition_id]


def update(reference: ReferenceData, definition_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Change a definition."""
    row = read(reference, definition_id)
    if found := unrecognized(body, WRITABLE):
        raise invalid(*found)
    row.update(body)
    return row


def delete(reference: ReferenceData, definition_id: int) -> dict[str, Any]:
    """Delete a definition; records keep their entry until they are written again."""
    read(reference, definition_id)
    del reference.custom_fields[definition_id]
    return {"id": definition_id, "is_deleted": True}


def _option(definition_id: int, rank: int, option: Any) -> dict[str, Any]:
    name = option["name"] if isinstance(option, dict) else str(option)
    return {"id": definition_id * 100 + rank, "name": name, "rank": rank}
