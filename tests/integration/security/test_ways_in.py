"""A whole bridge behind every way into Kafka: TLS, a certificate of its own, each SASL mechanism."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge.stage import stage
from tests.integration.security.broker import Secured

ACCOUNT = "acme"


def _with_a_certificate(broker: Secured) -> dict[str, Any]:
    certfile, keyfile = broker.authority.signed("client")
    return broker.way("MTLS", ssl_certfile=str(certfile), ssl_keyfile=str(keyfile))


WAYS: dict[str, Callable[[Secured], dict[str, Any]]] = {
    "tls": lambda broker: broker.way("TLS"),
    "certificate": _with_a_certificate,
    "plain": lambda broker: broker.sasl("PLAIN"),
    "scram-sha-256": lambda broker: broker.sasl("SCRAM-SHA-256"),
    "scram-sha-512": lambda broker: broker.sasl("SCRAM-SHA-512"),
    "oauthbearer": lambda broker: broker.oauth(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_bridge_publishes_and_obeys_behind_every_way_in(broker: Secured, tmp_path: Path, way: str) -> None:
    kafka = WAYS[way](broker)
    async with stage(
        broker.kafka.bootstrap_servers, tmp_path, [ACCOUNT], kafka=kafka, events={"poll_every": "1s"}
    ) as play:
        record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
        play.account(ACCOUNT).edit("company", record_id, {"details": "by a person"})
        await play.event("company", "updated", record_id, ACCOUNT)
