"""Accounts that connect themselves, from the link to the last tombstone, with nobody's browser but this test's own."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.fernet import Fernet

from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.stage import Stage, stage

FIXED, GLOBEX = "acme", "globex"
TOKEN = "a token of the internal port"


def oauth(copper: CopperDouble) -> dict[str, Any]:
    """The group of settings that goes with a double."""
    (client_id, client_secret), *_ = copper.oauth.clients.items()
    root = copper.base_url.removesuffix("/developer_api/v1")
    return {
        "client_id": client_id,
        "client_secret": client_secret,
        "keys": {"2026-11": Fernet.generate_key().decode()},
        "authorize_url": f"{root}/oauth/authorize",
        "token_url": f"{root}/oauth/token",
    }


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that has one account of the settings; the double has another, which is not connected yet."""
    directory: Path = tmp_path_factory.mktemp("connecting")
    async with stage(
        bootstrap_servers,
        directory,
        [FIXED],
        strangers=[GLOBEX],
        webhooks=True,
        oauth=oauth,
        events={"poll_every": "1s"},
        server={"token": TOKEN},
    ) as play:
        yield play


async def test_an_account_is_connected_served_paused_resumed_and_forgotten(play: Stage) -> None:
    (known,) = play.account(GLOBEX).load("lead", [{"name": "Known Before"}])
    link = await deed(play, GLOBEX, "connect")
    assert await consent(link["url"], GLOBEX) == "Copper is connected: globex"
    await play.log.wait(play.names.state("lead"), lambda each: each.key == f"{GLOBEX}/{known}".encode())
    made = await eventual_reply(play)
    await play.event("company", "created", made, GLOBEX)
    assert (await deed(play, GLOBEX, "pause"))["done"]
    calls = len(play.calls(GLOBEX))
    waiting = await play.command(GLOBEX, "company", "get", record_id=made)
    other = await play.ask(FIXED, "company", "search", data={})
    assert other.value["status"] == "succeeded"
    assert len(play.calls(GLOBEX)) == calls
    assert (await deed(play, GLOBEX, "resume"))["done"]
    assert (await play.reply("company", waiting)).value["status"] == "succeeded"
    assert (await deed(play, GLOBEX, "forget"))["done"]
    gone = await play.log.wait(play.names.notifications, lambda each: each.value["type"] == "account.disconnected")
    assert gone[-1].value["data"]["webhooks"] == "removed"
    assert gone[-1].value["data"]["tombstones"] == 2
    assert play.account(GLOBEX).subscriptions.list() == []
    refused = await play.ask(GLOBEX, "company", "get", record_id=made)
    assert refused.value["error"]["type"] == "unknown-account"


async def eventual_reply(play: Stage) -> int:
    """The id of a company that was created by command, as soon as the account is served."""
    while True:
        reply = await play.ask(GLOBEX, "company", "create", data={"name": "By Command"})
        if reply.value["status"] == "succeeded":
            return int(reply.value["record"]["id"])
        assert reply.value["error"]["type"] == "unknown-account"


async def deed(play: Stage, account: str, what: str) -> dict[str, Any]:
    assert play.running is not None
    url = f"http://127.0.0.1:{play.running.internal_port}/api/accounts/{account}/{what}"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session, session.post(url) as got:
        said = await got.json()
        assert got.status == 200, said
        return dict(said)


async def consent(link: str, account: str) -> str:
    """What a customer reads at the end who opens the link and says yes for an account of Copper's."""
    async with aiohttp.ClientSession() as session:
        async with session.get(link, allow_redirects=False) as answer:
            where = answer.headers["Location"]
        async with session.get(f"{where}&account={account}") as answer:
            page = await answer.text()
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        (action,) = re.findall(r'action="([^"]*)"', page)
        async with session.post(action, data=form) as answer:
            page = await answer.text()
    (title,) = re.findall(r"<h1>(.*?)</h1>", page)
    return str(title)
