"""The schema for editors: takes what the bridge takes, and underlines what it refuses in a file."""

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bridge.settings.schema import schema
from bridge.settings.template import template
from tests.unit.settings.test_template import uncommented
from tests.unit.test_settings import EXAMPLE

VALIDATOR = jsonschema_rs.Draft7Validator(schema())


def wrong(text: str) -> list[str]:
    """Where the file is wrong; read as editors read YAML, which take `off` for a word."""
    said: Any = yaml.load(text, Loader=_Editor)  # noqa: S506 - a safe loader with fewer words
    return sorted("/".join(map(str, error.instance_path)) for error in VALIDATOR.iter_errors(said))


class _Editor(yaml.SafeLoader):
    """YAML 1.2: only true and false are booleans."""


_Editor.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool" or first in "tf"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(schema())
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        template(),
        uncommented(template()),
        "topics: {manage: off}\ncopper: {overlap: null}\naccounts: {acme: null}",
        "events: {drop: 'interaction, enrichment', person: {fields: {allow: [name], hash: 'emails'}}}",
        "commands: {signing_keys: {erp_2026: sixteen-letters-0}, allowed: company.*}",
        "accounts: {a-1: {key_fields: {company: 50313}, commands_allowed: []}}",
        "webhooks: {public_url: 'https://bridge.example'}\nkafka: {bootstrap_servers: 'a:1, b:2'}",
    ],
    ids=["the-example", "the-template", "all-of-the-template", "words", "lists", "secrets", "accounts", "addresses"],
)
def test_what_the_bridge_takes_is_not_underlined(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("copper: {timout: 5s}", "copper"),
        ("compny: {}", ""),
        ("copper: {timeout: 5}", "copper/timeout"),
        ("copper: {timeout: 5 parsecs}", "copper/timeout"),
        ("copper: {requests_per_minute: 181}", "copper/requests_per_minute"),
        ("copper: {base_url: 'ftp://x'}", "copper/base_url"),
        ("accounts: {Big_Co: {}}", "accounts"),
        ("accounts: {acme: {user: x}}", "accounts/acme"),
        ("accounts: {acme: {key_fields: {compny: 5}}}", "accounts/acme/key_fields"),
        ("accounts: {acme: {key_fields: {company: nickname}}}", "accounts/acme/key_fields/company"),
        ("commands: {signing_keys: {Shop: sixteen-letters-0}}", "commands/signing_keys"),
        ("commands: {signing_keys: {shop: short}}", "commands/signing_keys/shop"),
        ("kafka: {bootstrap_servers: [a, b]}", "kafka/bootstrap_servers"),
        ("topics: {manage: maybe}", "topics/manage"),
        ("events: {task: {enabled: perhaps}}", "events/task/enabled"),
        ("events: {drop: [edit]}", "events/drop"),
        ("server: {public: {port: 70000}}", "server/public/port"),
        ("server: {internal: {max_connections: 5}}", "server/internal"),
    ],
)
def test_what_the_bridge_refuses_is_underlined_at_its_place(text: str, where: str) -> None:
    assert wrong(text) == [where]
