"""The part of the commands' schemas that lets callers say by name what Copper knows by id (contract.md §4).

Called by `schemas`, which hands in how a shape is written. Pure; which members there are is the catalogue's to say.
"""

from collections.abc import Callable
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Name, Shape

Schema = dict[str, Any]
Form = Callable[[Shape], Schema]
"""A shape as JSON Schema."""


def named(schema: Schema, form: Form) -> Schema:
    """An object's schema with the members that say by name what its own say by id; never both of a pair."""
    properties = schema["properties"]
    rows = [row for row in CATALOGUE.names.values() if row.field in properties]
    members = {row.member: _member(row, properties[row.field], form) for row in rows}
    pairs = {row.member: {"properties": {row.field: False}} for row in rows if not row.in_place}
    return {**schema, "properties": properties | members} | ({"dependentSchemas": pairs} if pairs else {})


def named_inside(schema: Schema, form: Form) -> Schema:
    """The same for every object in an object."""
    parts = {name: named(part, form) if "properties" in part else part for name, part in schema["properties"].items()}
    return {**schema, "properties": parts}


def _member(row: Name, field: Schema, form: Form) -> Schema:
    return form({"shape": row.shape, "nullable": "null" in field["type"]})
