"""JSON Schema 2020-12 documents of every message, made from the catalogue.

Called by `payloads` (commands are validated against the same document that is published), `asyncapi` and `publish`.
Pure: no files, no clock. What callers write is described closed and with limits; what Copper sends is described open,
so that a field or value new to us stays valid.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action, Entity, Field, Shape
from bridge.contract.schemas_of_names import named, named_inside
from bridge.contract.schemas_of_operation import operations

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OPS: Mapping[str, tuple[str, ...]] = {
    "created": ("c",),
    "updated": ("u",),
    "upserted": ("c", "u"),
    "deleted": ("d",),
    "snapshot": ("r",),
}
"""Kind of event to the `op` letters of its records: Debezium's."""

_LIMITS = frozenset({
    "additionalProperties", "enum", "required", "pattern", "minLength", "maxLength", "minimum", "maximum", "maxItems",
    "description", "allOf",
})  # fmt: skip


def schema_id(name: str) -> str:
    """The id of a schema document, as `ce_dataschema` carries it: an absolute URI that needs no host."""
    return f"urn:copper-kafka-bridge:{name}"


def record_name(entity: str) -> str:
    """Name of the schema of an entity's records."""
    return f"{entity}.record.v1"


def event_name(entity: str, kind: str) -> str:
    """Name of the schema of an entity's events of one kind."""
    return f"{entity}.{kind}.v1"


def command_name(action: Action) -> str:
    """Name of the schema of a command."""
    return f"{action.entity}.{action.name}.command.v1"


def documents() -> dict[str, Schema]:
    """Every document by its name; the file is `<name>.json`."""
    followed = [CATALOGUE.entities[name] for name in CATALOGUE.followed]
    return {
        **{record_name(each.name): record_schema(each) for each in CATALOGUE.entities.values()},
        **{event_name(each.name, kind): event_schema(each, kind) for each in followed for kind in OPS},
        **{command_name(action): command_schema(action) for action in CATALOGUE.actions},
        "reply.v1": reply_schema(),
        **{name: document(name, title, schema) for name, (title, schema) in operations().items()},
    }


def written(shape: Shape) -> Schema:
    """A shape as JSON Schema for what a caller writes: other shapes taken over, objects closed, limits kept."""
    taken = written(CATALOGUE.shapes[shape["shape"]]) if "shape" in shape else {}
    schema: Schema = {**taken, **{key: value for key, value in shape.items() if key not in {"shape", "nullable"}}}
    if "properties" in shape:
        schema["properties"] = {name: written(each) for name, each in shape["properties"].items()}
        schema["additionalProperties"] = False
    if "items" in shape:
        schema["items"] = written(shape["items"])
    if "additionalProperties" in shape:
        schema["additionalProperties"] = written(shape["additionalProperties"])
    return _with_null(schema) if shape.get("nullable") else schema


def _with_null(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema["type"]]
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **values, "type": [*kinds, "null"]}


def read(schema: Schema) -> Schema:
    """A schema with everything taken off that Copper might change without calling it a break; types stay."""
    kept = {key: value for key, value in schema.items() if key not in _LIMITS}
    if "properties" in kept:
        kept["properties"] = {name: read(each) for name, each in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = read(kept["items"])
    return kept


def _of_field(each: Field) -> Schema:
    shape = {"shape": each.type, "nullable": each.nullable}
    return written(shape | {"enum": list(each.values)} if each.values else shape)


def _fields_read(entity: Entity) -> dict[str, Schema]:
    return {name: read(_of_field(each)) for name, each in entity.fields.items()}


def _open_record(entity: Entity) -> Schema:
    return {"type": "object", "required": ["id"], "properties": _fields_read(entity)}


def record_schema(entity: Entity) -> Schema:
    """A record as Copper sends it; fields it does not name are allowed."""
    return document(record_name(entity.name), f"{entity.title} as Copper sends it", _open_record(entity))


def event_schema(entity: Entity, kind: str) -> Schema:
    """The value of an event of one kind, self-contained: the record's schema lies in its `$defs`."""
    record: Schema = {"$ref": "#/$defs/record"}
    nothing: Schema = {"type": "null"}
    source = {
        "connector": {"const": "copper"},
        "account": {"type": "string"},
        "entity": {"const": entity.name},
        "id": {"type": "integer"},
        "ts_ms": {"type": "integer"},
        "via": {"type": "string"},
    }
    ids = {"type": "object", "additionalProperties": {"type": "integer"}}
    more = {
        "seen": {"type": "boolean", "description": "false: the record was never seen before its delete"},
        "class": {"type": "string", "description": "of an update: edit, interaction or enrichment"},
        "converted": {**ids, "description": "the lead was converted into these: entity to id"},
        "merged": {**ids, "description": "suspected: the record was merged into this one: entity to id"},
    }
    properties = {
        "op": {"enum": list(OPS[kind])},
        "ts_ms": {"type": "integer", "description": "when the bridge wrote it, Unix milliseconds"},
        "before": {"created": nothing, "snapshot": nothing, "upserted": {"anyOf": [record, nothing]}}.get(kind, record),
        "after": nothing if kind == "deleted" else record,
        "changed": {"type": "array", "items": {"type": "string"}},
        "source": {"type": "object", "required": [*source], "properties": source | more},
    }
    value = {"type": "object", "required": [*properties], "properties": properties}
    title = f"{entity.title} {kind}"
    return document(event_name(entity.name, kind), title, {**value, "$defs": {"record": _open_record(entity)}})


def command_schema(action: Action) -> Schema:
    """The value of a command, closed. `action` may be given by the header `ce_type` instead, so it is not required."""
    members = {name: _MEMBERS[name](action) for name in sorted(action.members)}
    properties = {"action": {"const": action.name}, "account": {"type": "string"}, **members}
    value = {
        "type": "object",
        "required": sorted(action.needs),
        "properties": properties,
        "additionalProperties": False,
    }
    return document(command_name(action), action.title, value)


def _data(action: Action) -> Schema:
    entity = CATALOGUE.entities[action.entity]
    kind = action.data or ""
    return _DATA[kind](entity) if kind in _DATA else named_inside(written({"shape": kind}), written)


def _closed(properties: Mapping[str, Schema], **more: Any) -> Schema:
    return {"type": "object", **more, "properties": dict(properties), "additionalProperties": False}


def _whole_record(entity: Entity) -> Schema:
    fields = {each.name: _of_field(each) for each in entity.writable()}
    required = [each.name for each in entity.writable() if each.required]
    return named(_closed(fields, required=required), written)


def _some_fields(entity: Entity) -> Schema:
    return named(_closed({each.name: _of_field(each) for each in entity.writable()}, minProperties=1), written)


def _filters(entity: Entity) -> Schema:
    filters = {name: written({"shape": shape}) for name, shape in entity.filters.items()}
    paging = {name: written(shape) for name, shape in CATALOGUE.paging.items()}
    return _closed({**filters, **paging, "sort_by": {"type": "string", "enum": list(entity.sort_by)}})


def _expectations(action: Action) -> Schema:
    fields = _closed(_fields_read(CATALOGUE.entities[action.entity]), minProperties=1)
    return named(fields, lambda shape: read(written(shape)))


_DATA: Mapping[str, Callable[[Entity], Schema]] = {
    "record": _whole_record,
    "changes": _some_fields,
    "filters": _filters,
}
_MEMBERS: Mapping[str, Callable[[Action], Schema]] = {
    "id": lambda _: written({"shape": "id"}),
    "email": lambda _: written({"shape": "address_of_mail"}),
    "match": lambda _: written({"shape": "match"}),
    "data": _data,
    "expect": _expectations,
}


def reply_schema() -> Schema:
    """The value of a reply (contract.md §5); one for all actions."""
    text_or_null = {"type": ["string", "null"]}
    number_or_null = {"type": ["integer", "null"]}
    reasons = {"type": "array", "items": {"type": "string"}}
    error = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "fields": {"type": ["object", "null"], "additionalProperties": reasons},
        "http_status": number_or_null,
        "retryable": {"type": "boolean"},
    }
    command = {
        "id": {"type": "string"},
        "action": text_or_null,
        "entity": {"type": "string"},
        "account": text_or_null,
        "topic": {"type": "string"},
        "partition": {"type": "integer"},
        "offset": {"type": "integer"},
    }
    properties: Schema = {
        "status": {"enum": ["succeeded", "failed", "expired", "unknown"]},
        "record": {"type": ["object", "null"]},
        "records": {"type": ["array", "null"], "items": {"type": "object"}},
        "error": {"type": ["object", "null"], "required": [*error], "properties": error},
        "duplicate": {"type": "boolean"},
        "attempts": {"type": "integer", "minimum": 0},
        "command": {"type": "object", "required": [*command], "properties": command},
        "event_id": text_or_null,
        "timing": {"type": "object", "properties": {"queued_ms": number_or_null, "copper_ms": number_or_null}},
    }
    optional = {"already": {"type": "boolean", "description": "it was so before: deleting what is gone"}}
    value = {"type": "object", "required": [*properties], "properties": properties | optional}
    return document("reply.v1", "Answer to a command", value)


def document(name: str, title: str, schema: Schema) -> Schema:
    """A schema as a document of its own."""
    return {"$schema": DIALECT, "$id": schema_id(name), "title": title, **schema}
