"""Accounts on the internal port: who may do what, and what is said when it cannot be done."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bridge.web.accounts import AccountsApi, Deed, Impossible, add_routes
from bridge.web.ports import listening

TOKEN = {"Authorization": "Bearer the token"}


@dataclass
class No:
    why: str
    known: bool


class Bridge:
    """What there is to be done."""

    def __init__(self) -> None:
        self.token: str | None = "the token"
        self.answer: dict[str, Any] | Impossible = {"done": True}
        self.asked: list[str] = []
        self.waits = False

    def deeds(self) -> dict[str, Deed]:
        return {} if self.waits else {"pause": self.pause}

    async def pause(self, account: str) -> dict[str, Any] | Impossible:
        self.asked.append(account)
        return self.answer


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
async def operator(bridge: Bridge) -> AsyncGenerator[ClientSession]:
    app = web.Application()
    add_routes(app, AccountsApi(lambda: [{"account": "acme"}], bridge.deeds, lambda: bridge.token))
    async with listening(app, "127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def post(operator: ClientSession, path: str, headers: dict[str, str] = TOKEN) -> tuple[int, Any]:
    async with operator.post(path, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_accounts_are_shown_to_everybody_who_reaches_the_port(operator: ClientSession) -> None:
    async with operator.get("/api/accounts") as answer:
        assert await answer.json() == {"accounts": [{"account": "acme"}]}


async def test_a_deed_is_done_for_who_has_the_token(operator: ClientSession, bridge: Bridge) -> None:
    assert await post(operator, "/api/accounts/acme/pause") == (200, {"done": True})
    assert bridge.asked == ["acme"]


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer the toke", "the token", "Basic the token", "Bearer ä"]
)
async def test_nothing_is_done_without_the_token(operator: ClientSession, bridge: Bridge, given: str) -> None:
    status, said = await post(operator, "/api/accounts/acme/pause", {"Authorization": given})
    assert (status, bridge.asked) == (401, [])
    assert "the token" not in str(said)


async def test_without_a_token_in_the_settings_nothing_is_ever_done(operator: ClientSession, bridge: Bridge) -> None:
    bridge.token = None
    status, said = await post(operator, "/api/accounts/acme/pause", {"Authorization": "Bearer None"})
    assert (status, bridge.asked) == (403, [])
    assert "server.token" in said["error"]


@pytest.mark.parametrize(("known", "status"), [(True, 409), (False, 404)])
async def test_what_cannot_be_done_is_said_why(
    operator: ClientSession, bridge: Bridge, known: bool, status: int
) -> None:
    bridge.answer = No("it is paused already", known)
    assert await post(operator, "/api/accounts/acme/pause") == (status, {"error": "it is paused already"})


async def test_an_unknown_deed_is_told_which_there_are(operator: ClientSession) -> None:
    assert await post(operator, "/api/accounts/acme/explode") == (404, {"error": "there is only pause"})


async def test_while_kafka_is_waited_for_there_is_nothing_to_be_done(operator: ClientSession, bridge: Bridge) -> None:
    bridge.waits = True
    status, said = await post(operator, "/api/accounts/acme/pause")
    assert (status, "ask again" in said["error"]) == (503, True)
