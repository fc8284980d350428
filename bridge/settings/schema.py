"""The settings file as a JSON Schema, for editors: what they complete, and underline when it is wrong.

Called by `config schema`. Made from the settings' models, so it cannot drift. It speaks of the file alone: nothing is
required, since the environment may say it, and what only holds between several settings is left to `check`.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bridge.settings.showing import plain
from bridge.settings.values import DURATION, SHORTEST_SECRET, commas, duration, hard_to_guess, public_url, url
from bridge.settings.whole import Settings

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The one that all editors' language servers know."""
_WRITTEN: dict[Any, JsonSchemaValue] = {
    duration: {"type": "string", "pattern": f"^{DURATION.pattern}$"},
    url: {"type": "string", "pattern": "^https?://"},
    public_url: {"type": "string", "pattern": "^https?://"},
    hard_to_guess: {"type": "string", "minLength": SHORTEST_SECRET, "writeOnly": True},
}
"""What a validator of ours makes a value of."""


def schema() -> JsonSchemaValue:
    """The schema of a settings file."""
    made = Settings.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_OfAFile)
    definitions = made.pop("$defs")
    return {"$schema": _DRAFT, "title": "copper-bridge", **made, "type": "object", "definitions": definitions}


class _OfAFile(GenerateJsonSchema):
    """pydantic's generator, for values as they are written in a file."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function = schema["function"]["function"]
        if function is commas:  # a list may be written as text with commas
            return {"anyOf": [super().function_before_schema(schema), {"type": "string"}]}
        return _WRITTEN.get(function) or super().function_before_schema(schema)

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        return _WRITTEN.get(schema["function"]["function"]) or super().function_after_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A heading without keys is as good as none."""
        made = super().model_schema(schema)
        made.pop("required", None)
        made.pop("title", None)
        return made | {"type": ["object", "null"]}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return made | {"additionalProperties": False} if "patternProperties" in made else made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default of null may be written, too; a group's default is said by its keys."""
        inner = self.generate_inner(schema["schema"])
        if "default" not in schema or isinstance(schema["default"], BaseModel):
            return inner
        if schema["default"] is None and {"type": "null"} not in inner.get("anyOf", []):
            inner = {"anyOf": [inner, {"type": "null"}]}
        return {**inner, "default": plain(schema["default"])}

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """A title would only be the key once more."""
        return False
