"""Accounts on the command line: what is listed of each, and links that need nothing but the settings."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from bridge.app.oauth import linking
from bridge.app.sealing import Opened, Sealing
from bridge.cli.accounts import rows_of
from bridge.cli.exits import Exit
from bridge.cli.main import app
from bridge.client.accounts import Directory
from bridge.contract.accounts import Connected, Pending, Standing
from bridge.contract.moments import moment
from bridge.contract.sharding import shard_of
from bridge.policy.linking import link_refusal
from bridge.settings import load

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRETS = Opened("the token", "the secret")
SETTINGS = f"""
accounts: {{acme: {{user_email: ops@acme.example, api_key: the-key}}}}
oauth: {{client_id: ours, client_secret: the-secret, keys: {{k1: {OLD}, k2: {NEW}}}}}
webhooks: {{public_url: https://bridge.example}}
"""


def entry(name: str, key: str, standing: Standing = Standing.CONNECTED) -> Connected:
    return Connected(name, Sealing({"k": key}).seal(name, SECRETS), standing, 1_000, 61_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bridge.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


def connect(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["accounts", "connect", *arguments, "-c", str(file)])


def test_every_account_is_listed_with_where_it_comes_from_and_how_it_stands() -> None:
    connected = [entry("globex", NEW), entry("initech", NEW, Standing.PAUSED), entry("hooli", NEW, Standing.LEAVING)]
    pending = {name: Pending(name, "digest", 9.0) for name in ("stark", "globex")}
    rows = [*rows_of(["acme"], Directory(4, {each.account: each for each in connected}, pending), {}, None)]
    assert [(row["account"], row["standing"]) for row in rows] == [
        ("acme", "settings"),
        ("globex", "connected"),
        ("hooli", "leaving"),
        ("initech", "paused"),
        ("stark", "pending"),
    ]
    assert rows[1]["since"] == "1970-01-01T00:00:01Z"
    assert rows[1]["standing_since"] == "1970-01-01T00:01:01Z"
    assert all(row["shard"] in range(4) for row in rows)


def test_the_replica_of_an_accounts_shard_is_shown_as_far_as_it_is_known() -> None:
    shards = {name: shard_of(name, 4) for name in ("acme", "globex")}
    assert len({*shards.values()}) == 2
    rows = rows_of(shards, Directory(4), {shards["acme"]: "bridge-0"}, None)
    assert [row["replica"] for row in rows] == ["bridge-0", None]


def test_an_account_of_the_settings_is_what_they_say_whatever_lies_in_the_topic() -> None:
    (row,) = rows_of(["acme"], Directory(4, {"acme": entry("acme", NEW)}), {}, None)
    assert (row["standing"], row["since"], row["sealed"]) == ("settings", None, None)


def test_it_is_told_whether_the_newest_key_sealed_a_token() -> None:
    stranger = replace(entry("c", NEW), account="d")
    known = {each.account: each for each in (entry("a", OLD), entry("b", NEW), stranger)}
    rows = rows_of([], Directory(4, known), {}, Sealing({"k1": OLD, "k2": NEW}))
    assert [row["sealed"] for row in rows] == ["older", "newest", "none"]


def test_a_link_is_made_of_the_settings_alone_and_is_good(file: Path) -> None:
    result = connect(file, "globex")
    assert result.exit_code == Exit.OK
    parts = urlsplit(result.stdout.strip())
    assert (parts.netloc, parts.path) == ("bridge.example", "/connect/globex")
    (expires,), (signature,) = (parse_qs(parts.query)[name] for name in ("expires", "signature"))
    links = linking(load(file, {}, {}))
    assert links is not None
    assert link_refusal(links.keys, "globex", expires, signature, int(expires) - 7 * 86_400.0) is None
    assert re.fullmatch(r"for the customer of globex, good until \S+Z:\n", result.stderr)


def test_a_link_may_be_good_for_another_time(file: Path) -> None:
    spans = []
    for more in ([], ["--valid", "2d"]):
        told = orjson.loads(connect(file, "globex", "--json", *more).stdout)
        spans.append(moment(told["expires"]))
    assert spans[0] - spans[1] == pytest.approx(5 * 86_400, abs=5)


def test_an_account_of_the_settings_gets_no_link(file: Path) -> None:
    result = connect(file, "acme")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "one of the settings" in result.stderr


def test_what_is_missing_for_links_is_told(file: Path) -> None:
    file.write_text(SETTINGS.splitlines()[1], encoding="utf-8")
    result = connect(file, "globex")
    assert (result.exit_code, result.stdout) == (Exit.SETTINGS, "")
    for name in ("oauth.client_id", "oauth.client_secret", "oauth.keys", "webhooks.public_url"):
        assert name in result.stderr
    file.write_text(SETTINGS.replace("webhooks", "#webhooks"), encoding="utf-8")
    result = connect(file, "globex")
    assert (result.exit_code, "public_url is required" in result.stderr) == (Exit.SETTINGS, True)


def test_nothing_is_forgotten_unless_somebody_says_so() -> None:
    result = CliRunner().invoke(app, ["accounts", "disconnect", "globex", "--forget", "-b", "127.0.0.1:1"])
    assert (result.exit_code, "copper.*.state gets a tombstone" in result.stderr) == (2, True)
    result = CliRunner().invoke(app, ["accounts", "disconnect", "globex", "--forget", "--yes", "-b", "127.0.0.1:1"])
    assert result.exit_code == Exit.KAFKA


def test_a_check_tells_the_redirect_address_and_needs_no_account_of_the_settings(file: Path, tmp_path: Path) -> None:
    file.write_text(SETTINGS.replace("accounts", "#accounts") + f"state: {{dir: {tmp_path}}}", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", "--offline", "-c", str(file)])
    assert (result.exit_code, result.stderr) == (Exit.OK, "nothing is wrong\n")
    assert "tokens are sealed with key k2; at Copper the redirect address must be" in result.stdout
    assert "https://bridge.example/oauth/callback\n" in result.stdout
    assert "the-secret" not in result.stdout


def test_subscriptions_of_connected_accounts_are_said_to_be_the_bridges_business(file: Path) -> None:
    file.write_text(SETTINGS.replace("accounts", "#accounts"), encoding="utf-8")
    kafka = ("--set", "kafka.bootstrap_servers=127.0.0.1:1", "-c", str(file))
    result = CliRunner().invoke(app, ["webhooks", "ls", *kafka])
    assert (result.exit_code, "seen to by the running bridge alone" in result.stderr) == (Exit.OK, True)
    result = CliRunner().invoke(app, ["webhooks", "sync", "--account", "globex", *kafka])
    assert (result.exit_code, "no such account in the settings" in result.stderr) == (2, True)
