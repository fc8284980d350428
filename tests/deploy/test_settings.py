"""What the chart says to the bridge is what the bridge knows: settings, variables, options, and how long a stop takes.

The rendered ConfigMap is read by the bridge's own settings, with secrets and certificates as the pod would have them.
"""

import math
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.cli.main import app
from bridge.settings import Settings, load
from tests.deploy.chart import NAME, VALUES, Manifest, containers, one, pods, rendered

CLOSING_S = 15.0
"""The least time to close everything after the grace period: clients of Kafka, both ports."""
ETC = "/etc/copper-bridge"
REFERRED_TO = "the-pods-name-or-a-secret"
SECRETS = {
    "accounts__acme__api_key": "key-of-acme",
    "accounts__acme-east__api_key": "key-of-acme-east",
    "accounts__northwind__access_token": "token-of-northwind",
    "kafka__password": "a password",
    "oauth__client_secret": "secret-of-the-application",
    "oauth__keys__2026-10": Fernet.generate_key().decode(),
    "oauth__keys__2026-11": Fernet.generate_key().decode(),
    "server__token": "token-of-the-internal-port",
}


def environment(container: Manifest) -> dict[str, str]:
    return {each["name"]: each.get("value", REFERRED_TO) for each in container.get("env", [])}


def settings_of(values: str, tmp_path: Path) -> Settings:
    """The settings as the pod would have them, with the secrets and certificates it mounts."""
    file, secrets, tls = tmp_path / "bridge.yaml", tmp_path / "secrets", tmp_path / "tls"
    written = one(values, "ConfigMap")["data"]["bridge.yaml"]
    file.write_text(written.replace(f"{ETC}/tls", str(tls)))
    for directory in (secrets, tls):
        directory.mkdir()
    (tls / "ca.crt").write_bytes(authority())
    accounts = yaml.safe_load(written).get("accounts", {})
    for name, secret in SECRETS.items():
        if not name.startswith("accounts") or name.split("__")[1] in accounts:
            (secrets / name).write_text(secret)
    container = containers(next(pods(values)))[0]
    return load(file, environment(container), {"secrets_dir": str(secrets)})


@cache
def authority() -> bytes:
    """A certificate in PEM, as `kafkaTls.existingSecret` holds it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kafka")])
    year = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, *year).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("values", VALUES)
def test_the_bridge_knows_the_settings_and_variables_that_it_is_given(values: str, tmp_path: Path) -> None:
    settings = settings_of(values, tmp_path)
    assert settings.kafka.member_id == REFERRED_TO
    pod = next(pods(values))
    ports = {each["name"]: each["containerPort"] for each in pod["containers"][0]["ports"]}
    assert ports == {"public": settings.server.public.port, "internal": settings.server.internal.port}
    mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert {str(settings.state.dir), str(Settings.model_fields["secrets_dir"].default)} <= mounts
    assert (f"{ETC}/tls" in mounts) is (settings.kafka.ssl_cafile is not None)


def test_big_numbers_and_lists_arrive_as_they_were_written(tmp_path: Path) -> None:
    settings = settings_of("production", tmp_path)
    assert settings.accounts["acme"].key_fields == {"company": 1234567, "person": 12345678}
    assert settings.accounts["acme-east"].commands_allowed == ("company.*", "*.get")


def test_customers_may_connect_accounts_with_what_a_secret_holds(tmp_path: Path) -> None:
    settings = settings_of("oauth", tmp_path)
    assert (settings.accounts, settings.oauth.client_id) == ({}, "acme-integration")
    assert sorted(settings.oauth.keys) == ["2026-10", "2026-11"]
    assert settings.oauth.client_secret is not None
    assert settings.server.token is not None


@pytest.mark.parametrize("values", VALUES)
def test_variables_of_the_test_are_settings_too(values: str) -> None:
    (test,) = one(values, "Pod", f"{NAME}-test")["spec"]["containers"]
    load(None, environment(test), {"accounts": {"acme": {"access_token": "a-token"}}})


@pytest.mark.parametrize("values", VALUES)
def test_the_test_finds_the_settings_where_the_bridge_does(values: str) -> None:
    bridges, (test,) = (next(pods(values))["containers"][0], one(values, "Pod", f"{NAME}-test")["spec"]["containers"])
    assert [each for each in bridges["volumeMounts"] if each["mountPath"].startswith(ETC)] == test["volumeMounts"]


@pytest.mark.parametrize("values", VALUES)
def test_the_command_line_takes_what_containers_say_to_it(values: str) -> None:
    known: Any = typer.main.get_command(app)
    for pod in pods(values):
        for container in containers(pod):
            if "command" not in container:
                name, *arguments = container["args"]
                command = known.commands[name]
                if hasattr(command, "commands"):
                    name, *arguments = arguments
                    command = command.commands[name]
                command.make_context(name, arguments)


@pytest.mark.parametrize("values", VALUES)
def test_a_pod_is_given_longer_to_stop_than_the_bridge_takes(values: str, tmp_path: Path) -> None:
    grace = settings_of(values, tmp_path).shutdown_grace
    given = timedelta(seconds=next(pods(values))["terminationGracePeriodSeconds"])
    assert timedelta(seconds=CLOSING_S) <= given - grace <= timedelta(seconds=CLOSING_S + 6)


def test_every_kind_of_duration_is_understood() -> None:
    for written, seconds in {"250ms": 0.25, "25s": 25, "1.5m": 90, "1h": 3600}.items():
        template = next(
            each for each in rendered("laptop", f"config.shutdown_grace={written}") if each["kind"] == "StatefulSet"
        )
        assert template["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == math.ceil(seconds) + 20
