"""Shapes records as Copper does: defaults, parsed names, custom field entries, statuses, stages, normal dates.

Called by `writing` with bodies already judged. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.sandbox.copper.entities import NAMES, Entity, Record
from bridge.sandbox.copper.reference_data import ReferenceData

PREFIXES = {"mr", "mrs", "ms", "dr", "prof"}
NO_VALUE: Mapping[str, Any] = {"Checkbox": False, "MultiSelect": [], "Connect": []}


def fresh(entity: Entity, record_id: int, reference: ReferenceData, now: int) -> Record:
    """A record of which nothing is known but its id."""
    record = {"id": record_id, **entity.fresh, "custom_fields": custom_entries(entity, reference, {})}
    record |= {"date_created": now, "date_modified": now}
    if entity.name == "person":
        record["contact_type_id"] = reference.contact_types[0]["id"]
    if entity.name == "lead":
        record |= _lead_status(reference, next(row for row in reference.lead_statuses if row["is_default"]))
    if entity.name == "opportunity":
        record |= _pipeline(reference, reference.pipelines[0]["id"]) | {"date_stage_changed": now}
    return record


def applied(entity: Entity, record: Record, body: Mapping[str, Any], reference: ReferenceData, now: int) -> Record:
    """The record with the body's attributes: null clears, lists are replaced whole, custom fields one by one."""
    after = dict(record)
    for name, value in body.items():
        after[name] = _cleared(entity, name) if value is None else value
    if "custom_fields" in body:
        values = {entry["custom_field_definition_id"]: entry["value"] for entry in record["custom_fields"]}
        values |= {entry["custom_field_definition_id"]: entry.get("value") for entry in body["custom_fields"] or ()}
        after["custom_fields"] = custom_entries(entity, reference, values)
    if "name" in body and "first_name" in entity.writable:
        after |= parsed_name(body["name"]) | {part: body[part] for part in NAMES if part in body}
    special = SPECIALS.get(entity.name)
    return after | special(record, after, body, reference, now) if special else after


def custom_entries(entity: Entity, reference: ReferenceData, values: Mapping[int, Any]) -> list[dict[str, Any]]:
    """One entry per definition available on the entity, in the definitions' order."""
    return [
        {"custom_field_definition_id": row["id"], "value": _custom_value(row, values.get(row["id"]))}
        for row in reference.custom_fields.values()
        if entity.name in row["available_on"]
    ]


def computed(record: Record, reference: ReferenceData) -> Record:
    """The record with option names instead of ids, for `custom_field_computed_values=true`."""
    entries = [
        entry | {"value": option_names(reference, entry["custom_field_definition_id"], entry["value"])}
        for entry in record.get("custom_fields", ())
    ]
    return record | {"custom_fields": entries}


def option_names(reference: ReferenceData, definition_id: int, value: Any) -> Any:
    """A custom field's value with option names instead of ids; other values as they are."""
    options = {
        option["id"]: option["name"] for option in reference.custom_fields.get(definition_id, {}).get("options", ())
    }
    if isinstance(value, list):
        return [options.get(item, item) for item in value]
    return options.get(value, value) if options else value


def parsed_name(name: str) -> dict[str, str | None]:
    """Copper's reading of a full name; a single word leaves the last name empty."""
    main, _, suffix = (part.strip() for part in name.partition(","))
    words = main.split()
    prefix = words.pop(0) if len(words) > 1 and words[0].rstrip(".").lower() in PREFIXES else None
    first, rest = (words[0], words[1:]) if words else (None, [])
    middle = " ".join(rest[:-1]) or None
    return {
        "prefix": prefix,
        "first_name": first,
        "middle_name": middle,
        "last_name": rest[-1] if rest else None,
        "suffix": suffix or None,
    }


def _custom_value(row: Mapping[str, Any], value: Any) -> Any:
    return NO_VALUE.get(row["data_type"]) if value is None else value


def _cleared(entity: Entity, name: str) -> Any:
    value = entity.fresh.get(name)
    return list(value) if isinstance(value, list) else value


def _lead_status(reference: ReferenceData, row: Mapping[str, Any] | None) -> Record:
    del reference
    return {"status": row["name"], "status_id": row["id"]} if row else {}


def _lead(record: Record, after: Record, body: Mapping[str, Any], reference: ReferenceData, now: int) -> Record:
    del after, now
    rows = reference.lead_statuses
    default = next(row for row in rows if row["is_default"])
    chosen = next((row for row in rows if row["id"] == body.get("status_id")), None) or next(
        (row for row in rows if row["name"] == body.get("status")), None
    )
    asked = "status" in body or "status_id" in body
    kept = {"status": record["status"], "status_id": record["status_id"]}
    return _money(body, record) | (_lead_status(reference, chosen or default) if asked else kept)


def _pipeline(reference: ReferenceData, pipeline_id: int | None, stage_id: int | None = None) -> Record:
    line = next((row for row in reference.pipelines if row["id"] == pipeline_id), reference.pipelines[0])
    stage = next((row for row in line["stages"] if row["id"] == stage_id), line["stages"][0])
    return {
        "pipeline_id": line["id"],
        "pipeline_is_revenue": line["is_revenue"],
        "pipeline_stage_id": stage["id"],
        "win_probability": stage["win_probability"],
    }


def _opportunity(record: Record, after: Record, body: Mapping[str, Any], reference: ReferenceData, now: int) -> Record:
    derived = _money(body, record)
    if "pipeline_id" in body or "pipeline_stage_id" in body:
        stage = reference.stage(body.get("pipeline_stage_id"))
        line = body.get("pipeline_id") or (stage["pipeline_id"] if stage else record["pipeline_id"])
        derived |= _pipeline(reference, line, body.get("pipeline_stage_id"))
        if derived["pipeline_stage_id"] != record["pipeline_stage_id"]:
            derived["date_stage_changed"] = now
    if "win_probability" in body:
        derived["win_probability"] = body["win_probability"]
    if body.get("close_date"):
        month, day, year = (int(part) for part in body["close_date"].split("/"))
        derived["close_date"] = f"{month}/{day}/{year}" if month <= 12 else f"{day}/{month}/{year}"  # noqa: PLR2004
    if after.get("status") != "Lost":
        derived["loss_reason_id"] = None
    return derived


def _money(body: Mapping[str, Any], record: Record) -> Record:
    unset = body.get("monetary_value") is not None and not (body.get("monetary_unit") or record["monetary_unit"])
    return {"monetary_unit": "USD"} if unset else {}


def _task(record: Record, after: Record, body: Mapping[str, Any], reference: ReferenceData, now: int) -> Record:
    del body, reference
    if after["status"] == record["status"]:
        return {}
    return {"completed_date": now if after["status"] == "Completed" else None}


SPECIALS: Mapping[str, Callable[[Record, Record, Mapping[str, Any], ReferenceData, int], Record]] = {
    "lead": _lead,
    "opportunity": _opportunity,
    "task": _task,
}
