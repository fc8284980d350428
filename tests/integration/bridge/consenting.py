"""Accounts that connect themselves: settings, deeds on the internal port, and a customer who says yes."""

import html
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from cryptography.fernet import Fernet

from bridge.sandbox.copper import CopperDouble
from tests.integration.bridge.stage import Stage

TOKEN = "a token of the internal port"
CONNECTED = "Copper is connected: {}"


def oauth(copper: CopperDouble) -> dict[str, Any]:
    """The group of settings that goes with a double."""
    return {**without_keys(copper), "keys": {"2026-11": Fernet.generate_key().decode()}}


def without_keys(copper: CopperDouble) -> dict[str, Any]:
    """The same for a bridge that has its keys in files."""
    (client_id, client_secret), *_ = copper.oauth.clients.items()
    return {
        "client_id": client_id,
        "client_secret": client_secret,
        "authorize_url": f"{copper.url}/oauth/authorize",
        "token_url": f"{copper.url}/oauth/token",
    }


async def deed(play: Stage, account: str, what: str) -> dict[str, Any]:
    """What an operator has done with an account."""
    assert play.running is not None
    url = f"http://127.0.0.1:{play.running.internal_port}/api/accounts/{account}/{what}"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session, session.post(url) as got:
        said = await got.json()
        assert got.status == 200, said
        return dict(said)


async def link(play: Stage, account: str) -> str:
    """A link for a customer."""
    return str((await deed(play, account, "connect"))["url"])


async def shown(play: Stage, account: str) -> Mapping[str, Any]:
    """What the internal port shows of an account."""
    _, text = await play.page("/api/accounts")
    return next(each for each in orjson.loads(text)["accounts"] if each["account"] == account)


async def form_of(session: aiohttp.ClientSession, link: str, account: str) -> tuple[str, dict[str, str]]:
    """Where Copper's page sends its form for a customer of that account, and the form."""
    async with session.get(link, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        where = answer.headers["Location"]
    async with session.get(f"{where}&account={account}") as answer:
        page = await answer.text()
    (action,) = re.findall(r'action="([^"]*)"', page)
    form = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
    return html.unescape(action), form


async def sent(session: aiohttp.ClientSession, action: str, form: Mapping[str, str]) -> str:
    """What a customer reads whose browser sends that form."""
    async with session.post(action, data=form) as answer:
        return title(await answer.text())


async def consent(link: str, account: str) -> str:
    """What a customer reads at the end who opens the link and says yes."""
    async with aiohttp.ClientSession() as session:
        return await sent(session, *await form_of(session, link, account))


def title(page: str) -> str:
    """The heading of a page."""
    (found,) = re.findall(r"<h1>(.*?)</h1>", page)
    return html.unescape(found)


async def connected(play: Stage, account: str) -> None:
    """Connect an account, and wait until it is served."""
    assert await consent(await link(play, account), account) == CONNECTED.format(account)
    await play.log.wait(
        play.names.notifications,
        lambda each: each.value["type"] == "account.connected" and each.value["account"] == account,
    )
    while (await play.ask(account, "company", "search", data={})).value["status"] != "succeeded":
        pass
