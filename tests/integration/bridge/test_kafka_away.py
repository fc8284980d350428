"""A Kafka that does not answer: Copper is told to come again, and everything goes on when it is back."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson

from bridge.app import serving
from bridge.copper.notifications import TOKEN_HEADER
from bridge.sandbox.copper import Fault
from bridge.sandbox.kafka import local_kafka
from bridge.sandbox.kafka.ports import free_ports
from bridge.settings import Settings
from tests.integration.bridge.consenting import CONNECTED, TOKEN, consent, link, oauth, title
from tests.integration.bridge.reading import PATIENCE_S, repeated
from tests.integration.bridge.stage import LOOK_S, SHARDS, Stage, eventually, stage

ACCOUNT, CUSTOMER = "acme", "globex"


async def notify(play: Stage, session: aiohttp.ClientSession, record_id: int) -> int:
    """The status of the answer to a notification of an update."""
    row = next(iter(play.account(ACCOUNT).subscriptions.rows.values()))
    assert row.headers is not None
    body = {
        "ids": [record_id],
        "type": "company",
        "event": "update",
        "timestamp": datetime.now(UTC).isoformat(),
        "subscription_id": row.id,
    }
    headers = {"Content-Type": "application/json", TOKEN_HEADER: row.headers[TOKEN_HEADER]}
    async with session.post(row.target, data=orjson.dumps(body), headers=headers) as answer:
        return answer.status


async def probed(play: Stage, path: str, status: int) -> str:
    """Wait until a probe is answered so; what it says."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await play.page(path))[0] != status:  # noqa: ASYNC110 - a probe has to be asked
            await asyncio.sleep(LOOK_S)
    return answer[1]


async def test_all_is_refused_and_nobody_is_killed_while_kafka_is_away_and_all_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    seldom = {"poll_every": "3s"}
    async with (
        local_kafka() as kafka,
        stage(
            kafka.bootstrap_servers,
            tmp_path,
            [ACCOUNT],
            strangers=[CUSTOMER],
            webhooks=True,
            oauth=oauth,
            events=seldom,
            server={"token": TOKEN},
        ) as play,
        aiohttp.ClientSession() as session,
    ):
        account = play.account(ACCOUNT)
        await eventually(lambda: bool(account.subscriptions.rows))
        record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
        assert await notify(play, session, record_id) == 200
        customers = await link(play, CUSTOMER)
        kafka.pause(1)
        try:
            account.edit("company", record_id, {"details": "while Kafka was away"})
            assert await notify(play, session, record_id) == 503
            async with session.get(customers, allow_redirects=False) as answer:
                assert (answer.status, title(await answer.text())) == (503, "Not possible at present")
            assert "Kafka has not answered for" in await probed(play, "/readyz", 503)
            assert [(await play.page(path))[0] for path in ("/livez", "/startupz")] == [200, 200]
            assert not orjson.loads((await play.page("/api/status"))[1])["ready"]
        finally:
            kafka.resume(1)
        assert await probed(play, "/readyz", 200) == f"works on {SHARDS} shards\n"
        assert await notify(play, session, record_id) == 200
        assert await consent(customers, CUSTOMER) == CONNECTED.format(CUSTOMER)
        await play.event("company", "updated", record_id, ACCOUNT)
        reply = await play.ask(ACCOUNT, "company", "update", record_id=record_id, data={"details": "back"})
        assert reply.value["status"] == "succeeded"
        assert repeated(play.log.of(play.names.changes("company"))) == []
        play.copper.fault(Fault("status", status=503, times=None))
        await eventually(lambda: play.copper.calls[-1].status == 503)
        assert [(await play.page(path))[0] for path in ("/livez", "/readyz")] == [200, 200]


async def test_a_bridge_that_finds_no_kafka_answers_its_probes(tmp_path: Path) -> None:
    nowhere, public, internal = free_ports(3)
    settings = Settings.model_validate(
        {
            "instance": "early",
            "accounts": {ACCOUNT: {"user_email": "ops@acme.example", "api_key": "a-key"}},
            "kafka": {"bootstrap_servers": f"127.0.0.1:{nowhere}"},
            "server": {
                "public": {"host": "127.0.0.1", "port": public},
                "internal": {"host": "127.0.0.1", "port": internal},
            },
            "state": {"dir": str(tmp_path)},
        }
    )

    async def serve() -> None:
        async with serving(settings, asyncio.Event()):
            raise AssertionError("there is no Kafka")

    work, found = asyncio.create_task(serve()), dict[str, tuple[int, str]]()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{internal}") as session, asyncio.timeout(PATIENCE_S):
        while len(found) < 4:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(aiohttp.ClientConnectionError):
                for path in ("/livez", "/startupz", "/readyz", "/api/status"):
                    async with session.get(path) as answer:
                        found[path] = answer.status, await answer.text()
    work.cancel()
    await asyncio.wait([work])
    assert found["/livez"] == found["/startupz"] == (200, "everything moves\n")
    assert found["/readyz"] == (503, "Kafka has not answered yet\n")
    assert orjson.loads(found["/api/status"][1])["ready"] is False
