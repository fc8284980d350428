"""`values.schema.json` refuses typos everywhere, and its part about settings is what the settings are."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.deploy import values_schema
from tests.deploy.chart import CHART, refusal

OTHERS = {
    "nodeSelector",
    "affinity",
    "podAnnotations",
    "podLabels",
    "secrets.plain",
    "resources.requests",
    "resources.limits",
}
OTHERS |= {place + ".labels" for place in ("monitoring.serviceMonitor", "monitoring.rules", "monitoring.dashboard")}
OTHERS |= {"serviceAccount.annotations", "ingress.annotations", "config.accounts"}
"""Mappings whose keys are other people's names."""
SCHEMA = jsonschema_rs.validator_for(values_schema.whole())
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SMALLEST: dict[str, Any] = {"config": {"accounts": {"acme": {}}}}


def groups(values: dict[str, Any], place: str = "") -> Iterator[str]:
    for key, value in values.items():
        here = f"{place}{key}"
        if isinstance(value, dict) and here not in OTHERS:
            yield here
            yield from groups(value, f"{here}.")


def test_the_file_is_made_from_the_settings() -> None:
    assert values_schema.FILE.read_text() == values_schema.text(values_schema.whole()), (
        "run `python -m tests.deploy.values_schema`"
    )


def test_the_defaults_and_one_account_are_enough() -> None:
    SCHEMA.validate(DEFAULTS | SMALLEST)


def test_every_default_is_known_to_the_schema_and_every_value_has_a_default() -> None:
    assert set(DEFAULTS) == set(values_schema.whole()["properties"]) - {"global"}


@pytest.mark.parametrize("place", ["", *groups(DEFAULTS)])
def test_an_unknown_key_is_refused_wherever_it_stands(place: str) -> None:
    values = yaml.safe_load(yaml.safe_dump(DEFAULTS | SMALLEST))
    at = values
    for key in place.split(".") if place else ():
        at = at[key]
    at["tpyo"] = 1
    with pytest.raises(jsonschema_rs.ValidationError):
        SCHEMA.validate(values)


@pytest.mark.parametrize(
    "typo",
    [
        {"kafak": {}},
        {"kafka": {"bootstrap_server": "a:1"}},
        {"accounts": {"acme": {"usr_email": "a@b.example"}}},
        {"events": {"company": {"pol_every": "5s"}}},
        {"events": {"company": {"fields": {"denied": []}}}},
    ],
)
def test_a_typo_in_the_settings_is_refused_before_anything_is_installed(typo: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        SCHEMA.validate(DEFAULTS | {"config": SMALLEST["config"] | typo})


@pytest.mark.parametrize(
    "place",
    [
        "accounts.acme.api_key",
        "accounts.acme.access_token",
        "kafka.password",
        "webhooks.secret",
        "events.hash_key",
        "commands.signing_keys.one",
    ],
)
def test_a_secret_does_not_get_into_the_configmap(place: str) -> None:
    assert "not allowed" in refusal("laptop", f"config.{place}=canary")


@pytest.mark.parametrize(
    "place", ["kafka.member_id", "state.dir", "secrets_dir", "server.public.port", "server.internal.port"]
)
def test_what_the_chart_decides_cannot_be_said_twice(place: str) -> None:
    assert "not allowed" in refusal("laptop", f"config.{place}=1")


def test_helm_says_where_the_mistake_is() -> None:
    said = refusal("laptop", "replcas=2", "config.kafak.x=1")
    assert "replcas" in said
    assert "kafak" in said
