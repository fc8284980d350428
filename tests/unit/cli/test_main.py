"""The command line as its users meet it: help at once, exit codes as promised, talk apart from data."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

import bridge
from bridge.cli.main import app

COMMANDS = (
    "run",
    "check",
    "config",
    "topics",
    "demo",
    "sandbox",
    "listen",
    "call",
    "snapshot",
    "sweep",
    "progress",
    "wait",
    "deletes",
    "dlt",
    "status",
    "journal",
    "cursor",
    "webhooks",
    "accounts",
)
WITHIN = (
    ("config", "init"),
    ("config", "show"),
    ("config", "schema"),
    ("topics", "plan"),
    ("topics", "apply"),
    ("sandbox", "kafka"),
    ("sandbox", "copper"),
    ("deletes", "ls"),
    ("deletes", "approve"),
    ("deletes", "reject"),
    ("dlt", "ls"),
    ("dlt", "show"),
    ("dlt", "redrive"),
    ("journal", "show"),
    ("cursor", "show"),
    ("cursor", "set"),
    ("webhooks", "ls"),
    ("webhooks", "sync"),
    ("accounts", "ls"),
    ("accounts", "connect"),
    ("accounts", "pause"),
    ("accounts", "resume"),
    ("accounts", "disconnect"),
)


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, arguments, env=env)


def groups(group: Typer) -> Iterator[Typer]:
    yield group
    for within in group.registered_groups:
        if within.typer_instance is not None:
            yield from groups(within.typer_instance)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    heavy = "aiohttp", "aiokafka", "pydantic", "structlog", "prometheus_client", "orjson", "jsonschema_rs"
    code = f"""
import sys
from bridge.cli.main import app
try:
    app(["--help"])
except SystemExit:
    pass
print("heavy:", [name for name in {heavy!r} if name in sys.modules])
"""
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words
    assert "heavy: []" in shown
    assert [command for command in COMMANDS if command not in shown] == []


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), *WITHIN])
def test_every_command_has_help(command: Sequence[str]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_no_command_is_a_coroutine_which_would_silently_do_nothing() -> None:
    functions = [row.callback for group in groups(app) for row in group.registered_commands]
    assert len(functions) == len(COMMANDS) + len(WITHIN) - len({group for group, _ in WITHIN})
    assert [function for function in functions if function is None or function.__code__.co_flags & 0x80] == []


def test_the_version_is_told() -> None:
    assert invoke("--version").stdout.strip() == bridge.__version__


def test_settings_that_cannot_be_used_are_reported_on_standard_error_with_exit_code_3(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("copper: {timout: canary}\naccounts: {acme: {user_email: a@b.example}}")
    result = invoke("run", "-c", str(path), "--set", "log.levl=canary")
    assert (result.exit_code, result.stdout) == (3, "")
    way_out = "set BRIDGE_ACCOUNTS__ACME__API_KEY, or mount a file accounts/acme/api_key in secrets_dir"
    assert result.stderr.splitlines() == [
        f'{path}:1: copper.timout: unknown key; did you mean "timeout"?',
        f"{path}:2: accounts.acme.api_key: is required, or access_token; {way_out}",
        'flag: log.levl: unknown key; did you mean "level"?',
        "3 problems, nothing started.",
    ]


def test_the_settings_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    result = invoke("run", env={"BRIDGE_CONFIG": str(tmp_path / "none.yaml")})
    assert (result.exit_code, "none.yaml: there is no such file" in result.stderr) == (3, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "company.creat"),
        ("call", "company.create", "name"),
        ("call", "company.create", "--timeout", "30"),
        ("listen", "--from", "yesterday"),
        ("listen", "-n", "0"),
        ("demo", "--exit-after", "60"),
        ("sandbox", "kafka", "--nodes", "4"),
        ("nonsense",),
        ("snapshot",),
        ("snapshot", "acme", "--entity", "activity"),
        ("sweep", "acme", "--entity", "compny"),
        ("sweep", "acme", "--timeout", "30"),
        ("wait", "acme", "compny"),
        ("wait", "acme", "--to", "2026-11-25"),
        ("deletes", "approve"),
        ("check", "--set", "copper.timeout"),
        ("cursor", "set", "acme", "compny", "2h"),
        ("cursor", "set", "acme", "company", "2 hours"),
        ("journal", "show"),
        ("accounts", "pause"),
        ("accounts", "connect", "Globex"),
        ("accounts", "connect", "globex", "--valid", "2"),
        ("accounts", "disconnect", "globex", "--forget"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: Sequence[str]) -> None:
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "secret", "said"),
    [
        (("--deadline", "none"), "canary", "a signed command needs one"),
        ((), "", "needs its secret in"),
    ],
)
def test_a_call_that_cannot_be_signed_is_wrong_usage(arguments: Sequence[str], secret: str, said: str) -> None:
    environ = {"COPPER_SIGNING_KEY_ID": "shop", "COPPER_SIGNING_SECRET": secret}
    result = invoke("call", "company.get", "id=7", *arguments, env=environ)
    assert (result.exit_code, said in result.stderr, "canary" in result.stderr) == (2, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("listen",),
        ("call", "company.create", "name=x"),
        ("snapshot", "acme"),
        ("sweep", "acme"),
        ("progress",),
        ("wait", "acme"),
        ("deletes", "ls"),
        ("deletes", "approve", "acme"),
        ("deletes", "reject", "acme"),
        ("journal", "show", "c-1"),
        ("cursor", "show"),
        ("cursor", "set", "acme", "lead", "2h"),
        ("accounts", "pause", "acme"),
        ("accounts", "resume", "acme"),
        ("accounts", "disconnect", "acme"),
    ],
)
def test_a_kafka_that_is_not_there_is_one_line_and_exit_code_5(arguments: Sequence[str]) -> None:
    result = invoke(*arguments, "-b", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == "Kafka cannot be used: 127.0.0.1:1: nobody listens there\n"


def test_a_settings_file_to_begin_with_can_be_shown_and_checked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(invoke("config", "init").stdout, encoding="utf-8")
    environ = {"BRIDGE_ACCOUNTS__ACME__API_KEY": "canary-key", "BRIDGE_STATE__DIR": str(tmp_path)}
    shown = invoke("config", "show", "-c", str(path), "--set", "instance=mine", env=environ)
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["instance", "mine", "flag"] in lines
    assert ["accounts.acme.api_key", "****", "environment", "BRIDGE_ACCOUNTS__ACME__API_KEY"] in lines
    rows = json.loads(invoke("config", "show", "-c", str(path), "--json", env=environ).stdout)
    assert {"setting": "topics.partitions", "value": 4, "origin": "default"} in rows
    assert "canary" not in shown.stdout + str(rows)
    checked = invoke("check", "--offline", "-c", str(path), env=environ)
    assert (checked.exit_code, checked.stderr) == (0, "nothing is wrong\n")
    assert json.loads(invoke("config", "schema").stdout)["title"] == "copper-bridge"


def test_settings_that_cannot_be_used_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "bridge.yaml").write_text("copper: {timout: canary}")
    for command in (("config", "show"), ("topics", "plan"), ("topics", "apply")):
        result = invoke(*command, "-c", str(tmp_path / "bridge.yaml"))
        assert (result.exit_code, result.stdout) == (3, "")
        assert 'did you mean "timeout"?' in result.stderr


def test_a_bridge_that_is_not_there_is_one_line_and_exit_code_7() -> None:
    for more in ((), ("--watch",), ("--json",)):
        result = invoke("status", "--url", "http://127.0.0.1:1", *more)
        assert (result.exit_code, result.stdout) == (7, "")
        assert result.stderr == "no bridge tells its status at http://127.0.0.1:1: ClientConnectorError\n"


def test_without_docker_java_and_maven_the_sandbox_says_in_one_line_what_to_install() -> None:
    nowhere = {"PATH": "/nonexistent", "JAVA_HOME": "", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    ended = subprocess.run(
        [sys.executable, "-m", "bridge", "sandbox", "kafka"], env=nowhere, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "install Java 17 or newer and Maven" in ended.stderr


def test_asked_to_stop_while_it_waits_for_kafka_it_ends_at_once_and_cleanly(tmp_path: Path) -> None:
    settings = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "STATE__DIR": str(tmp_path), "LOG__FORMAT": "json"}
    account = {"ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example", "ACCOUNTS__ACME__API_KEY": "canary"}
    environ = {**os.environ, **{f"BRIDGE_{name}": value for name, value in (settings | account).items()}}
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "run"], env=environ, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        events = (json.loads(line)["event"] for line in process.stderr)
        assert "kafka.unreachable" in events
        process.terminate()
        *_, last = events
    assert (process.returncode, last) == (0, "bridge.stopped")
