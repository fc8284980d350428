"""Accounts as an operator sees and moves them from the command line, on a real Kafka with a bridge that runs."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
import yaml
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from bridge.app.world import replica_of
from bridge.cli.exits import Exit
from bridge.cli.main import app
from bridge.telemetry import logs
from tests.integration.bridge.consenting import consent, oauth
from tests.integration.bridge.stage import Stage, stage

FIXED, GLOBEX, INITECH = "acme", "globex", "initech"
KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that has one account of the settings; the double has two more, which are not connected yet.

    What it logs goes where it does in earnest: standard output is the command line's.
    """
    logs.configure("error", "json")
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("by-hand"),
        [FIXED],
        strangers=[GLOBEX, INITECH],
        webhooks=True,
        oauth=lambda copper: oauth(copper) | {"keys": {"k1": KEY}},
        events={"poll_every": "30s"},
    ) as play:
        yield play
    structlog.reset_defaults()


@pytest.fixture
def file(play: Stage, tmp_path: Path) -> Path:
    """What of the bridge's settings an operator needs."""
    client = next(iter(play.copper.oauth.clients.items()))
    settings = {
        "instance": play.settings.instance,
        "accounts": {FIXED: {"user_email": "ops@acme.example", "api_key": "acme-key"}},
        "kafka": {"bootstrap_servers": play.servers},
        "topics": {"prefix": play.names.prefix, "partitions": 3},
        "oauth": {"client_id": client[0], "client_secret": client[1], "keys": {"k1": KEY}},
        "webhooks": {"public_url": play.settings.webhooks.public_url},
    }
    path = tmp_path / "bridge.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


async def accounts(file: Path, *arguments: str) -> Result:
    """The command line as it is, in a thread with a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["accounts", *arguments, "-c", str(file)])


async def listed(file: Path, *more: str) -> dict[str, dict[str, Any]]:
    result = await accounts(file, "ls", "--json", *more)
    assert result.exit_code == Exit.OK, result.stderr
    return {row["account"]: row for row in map(orjson.loads, result.stdout.splitlines())}


async def connected(play: Stage, file: Path, account: str) -> None:
    """Connect an account by the link that the command line prints."""
    link = (await accounts(file, "connect", account)).stdout.strip()
    assert await consent(link, account) == f"Copper is connected: {account}"
    await play.log.wait(
        play.names.notifications,
        lambda each: (each.value["type"], each.value["account"]) == ("account.connected", account),
    )


async def test_a_connected_account_is_listed_paused_resumed_and_disconnected(play: Stage, file: Path) -> None:
    await connected(play, file, GLOBEX)
    rows = await listed(file)
    assert {name: row["standing"] for name, row in rows.items()} == {FIXED: "settings", GLOBEX: "connected"}
    assert rows[GLOBEX]["shard"] == play.shard(GLOBEX)
    assert {row["replica"] for row in rows.values()} == {replica_of(play.settings)}
    assert (rows[FIXED]["sealed"], rows[GLOBEX]["sealed"]) == (None, "newest")
    newer = f"oauth.keys.k2={Fernet.generate_key().decode()}"
    assert (await listed(file, "--set", newer))[GLOBEX]["sealed"] == "older"
    assert "sealed" in (await accounts(file, "ls")).stdout

    paused = await accounts(file, "pause", GLOBEX)
    assert (paused.exit_code, paused.stdout) == (Exit.OK, "account.paused: reason operator\n")
    assert (await listed(file))[GLOBEX]["standing"] == "paused"
    again = await accounts(file, "pause", GLOBEX)
    assert (again.exit_code, "it is paused already" in again.stderr) == (Exit.COMMAND, True)
    resumed = await accounts(file, "resume", GLOBEX)
    assert (resumed.exit_code, resumed.stdout.startswith("account.resumed: ")) == (Exit.OK, True)
    gone = await accounts(file, "disconnect", GLOBEX, "--timeout", "30s")
    assert (gone.exit_code, gone.stdout) == (Exit.OK, "account.disconnected: webhooks removed, tombstones 0\n")
    assert GLOBEX not in await listed(file)


async def test_a_forgotten_account_leaves_tombstones_and_no_events(play: Stage, file: Path) -> None:
    (known,) = play.account(INITECH).load("lead", [{"name": "Known Before"}])
    key = f"{INITECH}/{known}".encode()
    await connected(play, file, INITECH)
    await play.log.wait(play.names.state("lead"), lambda each: each.key == key)
    accepted = await accounts(file, "disconnect", INITECH, "--forget", "--yes", "--no-wait")
    assert accepted.exit_code == Exit.OK
    await play.log.wait(
        play.names.notifications,
        lambda each: (each.value["type"], each.value["account"]) == ("account.disconnected", INITECH),
    )
    await play.log.caught_up()
    tombstone = play.log.of(play.names.state("lead"), lambda each: each.key == key)[-1]
    assert (tombstone.value, tombstone.headers) == (None, {})
    for topic in (play.names.event("lead", "deleted"), play.names.changes("lead")):
        assert [each for each in play.log.of(topic, lambda each: each.key == key) if each.value["op"] == "d"] == []


async def test_an_account_of_the_settings_or_of_nobody_cannot_be_moved(play: Stage, file: Path) -> None:
    for account, why in ((FIXED, "it is one of the settings: change it there"), ("nobody", "account must be one of")):
        refused = await accounts(file, "pause", account)
        assert (refused.exit_code, why in refused.stderr) == (Exit.COMMAND, True), refused.stderr
