"""What is wrong with a way into Kafka is said in one line: which broker, what, and how to mend it, without a secret."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.access import Access
from bridge.settings import KafkaSettings
from tests.integration.bridge.stage import eventually, stage
from tests.integration.security.broker import Secured
from tests.integration.security.certificates import Authority


def access(said: dict[str, Any]) -> Access:
    settings = KafkaSettings.model_validate(said)
    return Access(settings.bootstrap_servers, settings)


def foreign(broker: Secured, name: str) -> dict[str, Any]:
    certfile, keyfile = Authority(broker.authority.cafile.parent, f"{name}-authority").signed(name)
    return {"ssl_certfile": str(certfile), "ssl_keyfile": str(keyfile)}


def other_authority(broker: Secured) -> str:
    return str(Authority(broker.authority.cafile.parent, "nobody").cafile)


CHECK = "check the port, kafka.security_protocol and kafka.sasl_mechanism"
NOT_TRUSTED = "its certificate is signed by nobody trusted: set kafka.ssl_cafile to its authority's certificate"
WRONG: dict[str, tuple[Callable[[Secured], dict[str, Any]], str]] = {
    "authority": (lambda broker: broker.way("TLS", ssl_cafile=other_authority(broker)), NOT_TRUSTED),
    "no authority": (lambda broker: broker.way("TLS", ssl_cafile=None), NOT_TRUSTED),
    "host name": (
        lambda broker: broker.way("TLS", bootstrap_servers=broker.kafka.at["TLS"].replace("127.0.0.1", "localhost")),
        "its certificate is for another name: write the brokers' names as their certificates have them",
    ),
    "no certificate": (
        lambda broker: broker.way("MTLS"),
        "it asks for a certificate of ours: set kafka.ssl_certfile and kafka.ssl_keyfile",
    ),
    "foreign certificate": (
        lambda broker: broker.way("MTLS", **foreign(broker, "stranger")),
        "it does not accept the certificate in kafka.ssl_certfile (SSLV3_ALERT_CERTIFICATE_UNKNOWN)",
    ),
    "plain password": (
        lambda broker: broker.sasl("PLAIN", password="canary-wrong"),
        "it does not accept kafka.username and kafka.password (PLAIN)",
    ),
    "scram password": (
        lambda broker: broker.sasl("SCRAM-SHA-512", password="canary-wrong"),
        "it does not accept kafka.username and kafka.password (SCRAM-SHA-512)",
    ),
    "unknown user": (
        lambda broker: broker.sasl("SCRAM-SHA-256", user="nobody"),
        "it does not accept kafka.username and kafka.password (SCRAM-SHA-256)",
    ),
    "mechanism": (
        lambda broker: broker.sasl("PLAIN") | {"bootstrap_servers": broker.kafka.at["OAUTH"]},
        "it does not offer PLAIN there: check kafka.sasl_mechanism and the port",
    ),
    "no tls": (
        lambda broker: {"bootstrap_servers": broker.kafka.at["TLS"]},
        f"it closes the connection: {CHECK}",
    ),
    "no sasl": (
        lambda broker: broker.way("SASL") | {"security_protocol": "SSL"},
        f"it closes the connection: {CHECK}",
    ),
    "client secret": (
        lambda broker: broker.oauth(client_secret="canary-wrong"),
        "no token from {token_url}: it answers 401 invalid_client; check kafka.client_id and kafka.client_secret",
    ),
    "token address": (
        lambda broker: broker.oauth(token_url=broker.giver.keys_url),
        "no token from {keys_url}: it answers 405",
    ),
    "no giver": (
        lambda broker: broker.oauth(token_url="http://127.0.0.1:1/token"),
        "no token from http://127.0.0.1:1/token: it is not reached (ClientConnectorError)",
    ),
    "nobody": (lambda broker: broker.way("TLS", bootstrap_servers="127.0.0.1:1"), "nobody listens there"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_is_said_with_the_way_out(broker: Secured, wrong: str) -> None:
    said, words = WRONG[wrong]
    way = access(said(broker))
    words = words.format(token_url=broker.giver.token_url, keys_url=broker.giver.keys_url)
    assert await way.obstacle() == f"{way.bootstrap_servers}: {words}"


async def test_one_broker_that_lets_in_is_enough(broker: Secured) -> None:
    both = f"127.0.0.1:1,{broker.kafka.at['TLS']}"
    assert await access(broker.way("TLS", bootstrap_servers=both)).obstacle() is None


async def test_renewed_certificates_count_for_the_next_connection(broker: Secured) -> None:
    files = foreign(broker, "renewed")
    way = access(broker.way("MTLS", **files))
    assert "it does not accept the certificate" in str(await way.obstacle())
    certfile, keyfile = broker.authority.signed("renewed")
    assert (str(certfile), str(keyfile)) == (files["ssl_certfile"], files["ssl_keyfile"])
    assert await way.obstacle() is None


async def test_a_refused_token_is_told_and_the_bridge_goes_on_trying_until_one_is_accepted(
    broker: Secured, tmp_path: Path
) -> None:
    broker.giver.lateness = 7200
    kafka = broker.oauth(request_timeout="2s")
    with capture_logs() as lines:
        starting = asyncio.create_task(_start(broker, tmp_path, kafka))
        await eventually(lambda: bool(lines and lines[-1]["event"] == "kafka.unreachable"))
        broker.giver.lateness = 0
        await starting
    told = [line["error"] for line in lines if line["event"] == "kafka.unreachable"]
    why = "it does not accept the token: check its audience, issuer and lifetime, and the brokers' clock"
    assert told == [f"{kafka['bootstrap_servers']}: {why}"]
    assert lines[-1]["how"] == "stopped"


async def _start(broker: Secured, directory: Path, kafka: dict[str, Any]) -> None:
    async with stage(broker.kafka.bootstrap_servers, directory, ["acme"], kafka=kafka) as play:
        assert play.running is not None
