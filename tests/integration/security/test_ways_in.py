"""A whole bridge behind every way into Kafka: TLS, a certificate of its own, each SASL mechanism; and its clients."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from bridge.client import CopperCommands, KafkaSecurity
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import stage
from tests.integration.security.broker import PASSWORD, REAUTHENTICATE_MS, SECRET, Secured

PATIENCE_S = 60
TOKENS = 2
"""So many more the bridge must have needed."""


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


def without(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != name}


@pytest.fixture(scope="module")
def prefix() -> str:
    """One set of topics for all: making them takes longest."""
    return f"w{uuid4().hex[:10]}"


@pytest.mark.parametrize("way", WAYS)
async def test_behind_every_way_in_a_bridge_publishes_what_people_do_and_a_client_commands_it(
    broker: Secured, tmp_path: Path, prefix: str, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    kafka = WAYS[way](broker)
    servers, security = kafka["bootstrap_servers"], KafkaSecurity(**without(kafka, "bootstrap_servers"))
    polled = {"poll_every": "1s"}
    async with stage(
        broker.kafka.bootstrap_servers, tmp_path, [way], kafka=kafka, events=polled, prefix=prefix
    ) as play:
        async with CopperCommands(servers, prefix=prefix, account=way, security=security) as copper:
            made = await copper.company.create(name="Tideglass")
        play.account(way).edit("company", made["id"], {"details": "by a person"})
        await play.event("company", "updated", made["id"], way)
    out, err = capfd.readouterr()
    assert PASSWORD not in out + err
    assert SECRET not in out + err


async def test_the_command_line_gets_in_by_the_same_settings_as_the_bridge(
    broker: Secured, tmp_path: Path, prefix: str
) -> None:
    kafka = broker.sasl("SCRAM-SHA-512")
    (tmp_path / "bridge.yaml").write_text(
        yaml.safe_dump(
            {"kafka": without(kafka, "password"), "topics": {"prefix": prefix}, "secrets_dir": str(tmp_path)}
        )
    )
    events = ("listen", f"{prefix}.company.created", "--from", "earliest", "-n", "1")
    code, out, _ = await cli(*events, "-c", str(tmp_path / "bridge.yaml"), BRIDGE_KAFKA__PASSWORD=PASSWORD)
    assert (code, len(out.splitlines())) == (0, 1)
    assert f"{prefix}.company.created" in out
    variables = {f"BRIDGE_KAFKA__{name.upper()}": value for name, value in kafka.items()}
    code, out, err = await cli(*events, **variables | {"BRIDGE_KAFKA__PASSWORD": "canary-wrong"})
    servers, why = kafka["bootstrap_servers"], "it does not accept kafka.username and kafka.password (SCRAM-SHA-512)"
    assert (code, out, err) == (5, "", f"Kafka cannot be used: {servers}: {why}\n")


async def cli(*arguments: str, **variables: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments),
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.figures
async def test_connections_that_outlive_their_token_are_opened_again_and_nothing_is_lost(
    broker: Secured, tmp_path: Path, prefix: str
) -> None:
    """Brokers may want a fresh token every few seconds; aiokafka shows none, they hang up, it comes back with one."""
    broker.giver.lifetime = 4.0
    loop = asyncio.get_running_loop()
    replies: list[Message] = []
    longest = 0.0
    async with stage(
        broker.kafka.bootstrap_servers, tmp_path, ["short"], kafka=broker.oauth("SHORT"), prefix=prefix
    ) as play:
        record_id = await play.made("short", "company", {"name": "Tideglass"})
        began_with, started = broker.giver.given, loop.time()
        while broker.giver.given < began_with + TOKENS:
            began = loop.time()
            data = {"details": f"{len(replies)}"}
            replies.append(await play.ask("short", "company", "update", record_id=record_id, data=data))
            longest = max(longest, loop.time() - began)
        lasted = loop.time() - started
        renewed = await play.metric("copper_bridge_kafka_commits_total", outcome="renewed")
        ended = await play.metric("copper_bridge_shard_sessions_ended_total")
        await play.log.caught_up()
        published = play.log.of(
            play.names.event("company", "updated"), lambda each: each.key == f"short/{record_id}".encode()
        )
    broker.giver.lifetime = 3600.0
    assert {reply.value["status"] for reply in replies} == {"succeeded"}
    assert [each.value["after"]["details"] for each in published] == [f"{number}" for number in range(len(replies))]
    print(
        f"{len(replies)} commands in {lasted:.1f} s, hung up on every {REAUTHENTICATE_MS / 1000:g} s: "
        f"{TOKENS} more tokens, {renewed:.0f} producers renewed, {ended:.0f} shard sessions ended, "
        f"longest reply {longest:.2f} s"
    )
