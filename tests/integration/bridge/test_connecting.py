"""Accounts that connect themselves, from the link to the last tombstone, with nobody's browser but this test's own."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.integration.bridge.consenting import TOKEN, consent, deed, link, oauth
from tests.integration.bridge.stage import Stage, stage

FIXED, GLOBEX = "acme", "globex"


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
    assert await consent(await link(play, GLOBEX), GLOBEX) == "Copper is connected: globex"
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
