"""Command values: read within limits, and validated: every problem at once, as field path to reasons in plain words.

Called by `commands.decode` and by callers who want to check before they send. Judges by the same schemas that are
published. Reasons never repeat a value of the input: they end in replies, dead letters and logs.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.schemas import Schema, command_schema

Problems = Mapping[str, tuple[str, ...]]
"""Dotted path of a field to the reasons it is refused."""

LARGEST = 1024 * 1024
"""Bytes of a value: what brokers take by default, where nothing was compressed."""

DEEPEST = 12
"""Levels of lists and objects in a command; the deepest that Copper's shapes need is six."""

MOST_MEMBERS = 5_000
"""Members and items in a command, all levels together; telling what is wrong with more would take seconds."""

_MEMBERS = frozenset({"action", "account", "id", "email", "data", "match", "expect"})
"""All that a command may have."""

_MOST_PROBLEMS = 100
_LONGEST_NAME = 80
_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def parse(raw: bytes | None) -> dict[str, Any] | str:
    """The value as an object, or why it is none."""
    if not raw:
        return "the value is empty; a command is one JSON object"
    if len(raw) > LARGEST:
        return f"the value has more than {LARGEST} bytes"
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "the value is not JSON"
    if not isinstance(value, dict):
        return "the value is not a JSON object"
    if too_many(value):
        return f"the value has more than {MOST_MEMBERS} members"
    return f"the value nests deeper than {DEEPEST} levels" if too_deep(value) else _given(value)


def _given(value: Mapping[str, Any]) -> dict[str, Any]:
    """A command without its members that are null: what writes objects of a class writes also what was not set."""
    return {name: member for name, member in value.items() if member is not None or name not in _MEMBERS}


def problems(action: Action, value: Mapping[str, Any]) -> Problems:
    """What is wrong with the value of a command of that action; empty when nothing is.

    At most a hundred fields are named. `value` must be neither `too_deep` nor `too_many`: it takes time with the square
    of their number.
    """
    found: dict[str, list[str]] = {}
    compiled, schema = _compiled(action.entity, action.name)
    for error in compiled.iter_errors(value):
        for path, reason in _explain(action, error, schema):
            reasons = found.setdefault(path, [])
            if reason not in reasons:
                reasons.append(reason)
        if len(found) >= _MOST_PROBLEMS:
            break
    if isinstance(value.get("id"), float) and "id" in action.members:
        # JSON Schema counts 7.0 among the integers; as an id it is none.
        found["id"] = ["must be a positive whole number"]
    return {path: tuple(reasons) for path, reasons in list(found.items())[:_MOST_PROBLEMS]}


def too_deep(value: Any, *, levels: int = DEEPEST) -> bool:
    """Whether lists and objects nest deeper than `levels`."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(too_deep(each, levels=levels - 1) for each in inner)


def too_many(value: Any, *, most: int = MOST_MEMBERS) -> bool:
    """Whether lists and objects hold more members than `most`, all levels together."""
    waiting, count = [value], 0
    while waiting and count <= most:
        each = waiting.pop()
        if isinstance(each, dict | list):
            count += len(each)
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return count > most


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint to append to a message about an unknown name: empty when nothing is near."""
    near = get_close_matches(name[:_LONGEST_NAME], known, n=1, cutoff=0.7)
    return f', did you mean "{near[0]}"?' if near else ""


@cache
def _compiled(entity: str, name: str) -> tuple[jsonschema_rs.Draft202012Validator, Schema]:
    action = CATALOGUE.action(entity, name)
    if action is None:
        raise KeyError((entity, name))
    schema = command_schema(action)
    return jsonschema_rs.Draft202012Validator(schema), schema


def _explain(action: Action, error: jsonschema_rs.ValidationError, schema: Schema) -> list[tuple[str, str]]:
    where = [str(part)[:_LONGEST_NAME] for part in error.instance_path]
    around = _at(schema, error.schema_path[:-1])
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return [
            (_path(where, name), _unknown(action, where, name, around)) for name in kind.unexpected[:_MOST_PROBLEMS]
        ]
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return [(_path(where, kind.property), "required")]
    return [(_path(where), _reason(kind.name, around))]


def _at(schema: Schema, path: Sequence[str | int]) -> Schema:
    found: Any = schema
    for part in path:
        found = found[part]
    return found if isinstance(found, dict) else {}


def _path(where: Sequence[str], *more: str) -> str:
    return ".".join([*where, *(name[:_LONGEST_NAME] for name in more)])


def _unknown(action: Action, where: Sequence[str], name: str, around: Schema) -> str:
    fields = CATALOGUE.entities[action.entity].fields
    if where == ["data"] and action.data in {"record", "changes"} and name in fields:
        return "is set by Copper and cannot be written"
    return "unknown field" + did_you_mean(name, list(around.get("properties", {})))


def _reason(keyword: str, around: Schema) -> str:
    if "description" in around and keyword not in {"maxItems", "maxLength"}:
        return f"must be {around['description']}"
    say = _REASONS.get(keyword)
    return say(around.get(keyword)) if say else "is not allowed here"


def _kinds(types: str | Sequence[str]) -> str:
    names = [types] if isinstance(types, str) else types
    return "must be " + " or ".join(_WORDS[name] for name in names)


def _choices(values: Sequence[Any]) -> str:
    words = ["null" if value is None else f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return "must be one of " + ", ".join(words)


_REASONS: Mapping[str, Callable[[Any], str]] = {
    "type": _kinds,
    "enum": _choices,
    "const": lambda value: f'must be "{value}"',
    "minLength": lambda _: "must not be empty",
    "maxLength": lambda most: f"must be at most {most} characters long",
    "maxItems": lambda most: f"must have at most {most} items",
    "minimum": lambda least: f"must be at least {least}",
    "maximum": lambda most: f"must be at most {most}",
    "minProperties": lambda _: "must name at least one field",
    "falseSchema": lambda _: "is said by name too: give one of the two",
}
