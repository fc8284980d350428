"""A Kafka that does not answer: Copper is told to come again, and everything goes on when it is back."""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson

from bridge.copper.notifications import TOKEN_HEADER
from bridge.sandbox.kafka import local_kafka
from tests.integration.bridge.reading import repeated
from tests.integration.bridge.stage import Stage, eventually, stage

ACCOUNT = "acme"


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


async def test_notifications_are_refused_while_kafka_is_away_and_all_goes_on_when_it_is_back(tmp_path: Path) -> None:
    seldom = {"poll_every": "3s"}
    async with (
        local_kafka() as kafka,
        stage(kafka.bootstrap_servers, tmp_path, [ACCOUNT], webhooks=True, events=seldom) as play,
        aiohttp.ClientSession() as session,
    ):
        account = play.account(ACCOUNT)
        await eventually(lambda: bool(account.subscriptions.rows))
        record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
        assert await notify(play, session, record_id) == 200
        kafka.pause(1)
        try:
            account.edit("company", record_id, {"details": "while Kafka was away"})
            assert await notify(play, session, record_id) == 503
        finally:
            kafka.resume(1)
        assert await notify(play, session, record_id) == 200
        await play.event("company", "updated", record_id, ACCOUNT)
        reply = await play.ask(ACCOUNT, "company", "update", record_id=record_id, data={"details": "back"})
        assert reply.value["status"] == "succeeded"
        assert repeated(play.log.of(play.names.changes("company"))) == []
