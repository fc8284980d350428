"""The settings file to begin with: usable as it is, and every line of it a setting once its `#` is gone."""

import re
from pathlib import Path

from bridge.settings import Settings, load
from bridge.settings.reporting import variable
from bridge.settings.sources import from_yaml
from bridge.settings.template import template
from tests.unit.test_settings import keys

KEY = {"BRIDGE_ACCOUNTS__ACME__API_KEY": "canary-key"}


def uncommented(text: str) -> str:
    return re.sub(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)


def test_the_template_can_be_used_as_it_is_and_says_nothing_but_defaults(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(template(), encoding="utf-8")
    assert load(path, KEY, {}) == load(None, KEY | {"BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example"}, {})


def test_every_line_is_a_setting_at_its_default_once_its_sign_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(uncommented(template()), encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    environ = KEY | {"BRIDGE_SECRETS_DIR": str(tmp_path / "secrets")}
    assert load(path, environ, {}) == load(
        None, environ | {"BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example"}, {}
    )


def test_every_setting_is_in_it_and_every_secret_by_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(uncommented(template()), encoding="utf-8")
    there = from_yaml(path).places
    for place, field in keys(Settings, ()):
        at = tuple("acme" if key == "my-shop" else key for key in place)
        secret = "Secret" in str(field.annotation)
        assert (at in there) != secret, at
        assert (variable(at) in template()) == secret, at


def test_every_setting_is_explained() -> None:
    words = " ".join(re.findall(r"^ *# (.*)$", template(), re.MULTILINE))
    for place, field in keys(Settings, ()):
        assert field.description, place
        assert " ".join(str(field.description).partition("\n\n")[0].split()) in words, place


def test_no_line_is_longer_than_a_terminal_shows() -> None:
    assert max(map(len, template().splitlines())) <= 120
