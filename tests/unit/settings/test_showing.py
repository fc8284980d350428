"""What holds and why: every setting with the place that said it, and no secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.settings import Settings, SettingsProblem, loaded
from bridge.settings.reporting import variable
from bridge.settings.showing import Shown, shown
from tests.unit.test_settings import keys

TOKEN = {"accounts": {"acme": {"access_token": "canary"}}}


def rows(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] = TOKEN) -> dict[str, Shown]:
    said = loaded(path, environ, overrides)
    return {row.setting: row for row in shown(said.settings, said.places)}


def test_each_of_the_five_places_is_told_as_the_origin(tmp_path: Path) -> None:
    path, secrets = tmp_path / "bridge.yaml", tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "kafka__password").write_text("canary")
    path.write_text("copper:\n  timeout: 10s\n  index_lag: 5m\naccounts: {acme: {key_fields: {lead: 7}}}\n")
    environ = {"BRIDGE_SECRETS_DIR": str(secrets), "BRIDGE_COPPER__TIMEOUT": "5s"}
    said = rows(path, environ, TOKEN | {"instance": "mine"})
    assert said["instance"] == Shown("instance", "mine", "flag")
    assert said["copper.timeout"] == Shown("copper.timeout", "5s", "environment BRIDGE_COPPER__TIMEOUT")
    assert said["kafka.password"] == Shown("kafka.password", "****", f"{secrets}/kafka__password")
    assert said["copper.index_lag"] == Shown("copper.index_lag", "5m", f"{path}:3")
    assert said["accounts.acme.key_fields.lead"] == Shown("accounts.acme.key_fields.lead", 7, f"{path}:4")
    assert said["topics.partitions"] == Shown("topics.partitions", 4, "default")


def test_every_setting_is_shown_and_no_secret() -> None:
    secrets = {"kafka": {"password": "canary"}, "webhooks": {"accept": "canary-canary-canary"}}
    said = rows(None, {"BRIDGE_COMMANDS__SIGNING_KEYS__SHOP": "canary-canary-canary"}, TOKEN | secrets)
    names = {".".join(place).replace("my-shop", "acme") for place, _ in keys(Settings, ())}
    assert said.keys() - names == {"commands.signing_keys.shop"}
    assert names - said.keys() == {"commands.signing_keys"}
    assert said["webhooks.accept"].value == ["****"]
    assert "canary" not in str(said)


def test_every_variable_says_its_setting_and_is_told_as_its_origin() -> None:
    said = rows(None, {"BRIDGE_EVENTS__PERSON__FIELDS__HASH": "name", "BRIDGE_EVENTS__HASH_KEY": "canary" * 3})
    environ = {variable(tuple(name.split("."))): _text(row.value) for name, row in said.items() if row.value != {}}
    environ |= {name: "canary" * 3 for name, text in environ.items() if text == "****"}
    del environ["BRIDGE_ACCOUNTS__ACME__API_KEY"], environ["BRIDGE_SECRETS_DIR"]
    again = rows(None, environ, {})
    for name, row in said.items():
        text = environ.get(variable(tuple(name.split("."))))
        expected = Shown(name, row.value, f"environment {variable(tuple(name.split('.')))}" if text else "default")
        assert again[name] == expected


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &a {b: *a}", "contains itself by an alias, or is nested too deeply"),
        ("a: \x00", "is no valid YAML: U+0000 may not be in it"),
        ("events: {hold_deletes_percent: many}", "must be a number"),
        ("events: {drop: {a: b}}", "must be a list"),
        ("accounts: {acme: {user_email: nobody}}", "must match ^[!-~]+@[!-~]+$"),
        ("accounts: {b: {api_key: ''}}", "must be printable ASCII text and not empty"),
        ("events: {lead: {fields: {hash: [name]}}}", "is required with fields.hash; set BRIDGE_EVENTS__HASH_KEY, or"),
        ("kafka: {sasl_mechanism: PLAIN}", "sasl_mechanism is set, but security_protocol is not SASL_SSL or"),
    ],
)
def test_what_is_wrong_is_told_in_plain_words_and_a_way_out_only_where_it_is_one(
    tmp_path: Path, text: str, what: str
) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(text)
    with pytest.raises(SettingsProblem) as caught:
        loaded(path, {}, TOKEN)
    (problem,) = caught.value.problems
    assert problem.where.startswith(str(path))
    assert problem.what.startswith(what)
    assert ("; set BRIDGE_" in problem.what) == ("required" in what)
