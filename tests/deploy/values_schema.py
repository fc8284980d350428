"""The chart's schema of values: `values.schema.json` beside the chart's own part, `config` being the settings' models.

`python -m tests.deploy.values_schema` writes it; a test holds the file against it. What the chart decides itself, and
secrets, are no part of `config`: they would be said twice, or lie readable in a ConfigMap.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from bridge.settings import Settings

CHART = Path(__file__).parents[2] / "deploy/helm/copper-bridge"
FILE = CHART / "values.schema.json"
THE_CHARTS_OWN = {
    "kafka.member_id",
    "secrets_dir",
    "server.internal",
    "server.public.host",
    "server.public.port",
    "state",
}

Schema = dict[str, Any]


def config() -> Schema:
    """The settings file, as far as values may say it."""
    schema = _group(Settings, "")
    named = {"required": ["accounts"], "properties": {"accounts": {"minProperties": 1}}}
    connected = {"required": ["oauth"], "properties": {"oauth": {"required": ["client_id"]}}}
    return schema | {"anyOf": [named, connected]}


def _group(model: type[BaseModel], place: str) -> Schema:
    properties = {}
    for name, field in model.model_fields.items():
        here = f"{place}{name}"
        if here not in THE_CHARTS_OWN and SecretStr not in _parts(field.annotation):
            described = {"description": field.description} if field.description else {}
            properties[name] = described | _value(field.annotation, f"{here}.")
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(annotation: Any, place: str) -> Schema:
    parts = _parts(annotation)
    groups = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    if not groups:
        return {}
    inner = _group(groups[0], place)
    return inner if dict not in parts else {"type": "object", "additionalProperties": inner}


def _parts(annotation: Any) -> set[Any]:
    """What an annotation is made of."""
    origin = getattr(annotation, "__origin__", None)
    inner = [part for each in get_args(annotation) for part in _parts(each)]
    return {part for part in (annotation, origin, *inner) if isinstance(part, type)}


def whole() -> Schema:
    """The file: the chart's own values as they stand in it, and the settings."""
    written: Schema = json.loads(FILE.read_text())
    written["properties"]["config"] = config()
    return written


def text(schema: Mapping[str, Any]) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(whole()))
