"""Webhooks end to end: subscriptions, deletes, and what strangers may try at the public port."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from bridge.copper.notifications import TOKEN_HEADER
from bridge.sandbox.copper import Knobs
from tests.integration.bridge.reading import repeated
from tests.integration.bridge.stage import ENTITIES, Stage, stage

ACME, HOOLI = "acme", "hooli"


@pytest.fixture(scope="module")
async def notified(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that polls once and hears of everything by webhooks; they come twice and in any order."""
    knobs = Knobs(webhook_duplicate=1.0, webhook_reorder=0.7, webhook_reorder_by=0.5)
    directory, once = tmp_path_factory.mktemp("notified"), {"poll_every": "10m"}
    async with stage(bootstrap_servers, directory, [ACME, HOOLI], knobs=knobs, webhooks=True, events=once) as play:
        await play.subscribed(ACME, HOOLI)
        yield play


def address(play: Stage, account: str = ACME) -> str:
    assert play.running is not None
    return f"http://127.0.0.1:{play.running.public_port}/webhooks/copper/{account}"


def secret(play: Stage, account: str = ACME) -> str:
    """What the account's notifications carry, as Copper was told."""
    headers = next(iter(play.account(account).subscriptions.rows.values())).headers
    assert headers is not None
    return str(headers[TOKEN_HEADER])


def notification(*ids: int, event: str = "delete", kind: str = "company") -> dict[str, Any]:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"ids": ids, "type": kind, "event": event, "timestamp": moment, "subscription_id": 1}


async def post(url: str, body: Any, token: str | None) -> int:
    """The status of the answer."""
    headers = {"Content-Type": "application/json"} | ({} if token is None else {TOKEN_HEADER: token})
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as answer:
        return answer.status


def test_all_events_of_all_entities_are_subscribed_to_with_a_secret_of_each_account(notified: Stage) -> None:
    for account in (ACME, HOOLI):
        rows = list(notified.account(account).subscriptions.rows.values())
        assert sorted((row.type, row.event) for row in rows) == sorted(
            (entity, event) for entity in ENTITIES for event in ("new", "update", "delete")
        )
        assert {row.target for row in rows} == {address(notified, account)}
        assert [row.headers for row in rows] == [{TOKEN_HEADER: secret(notified, account)}] * 18
        assert notified.account(account).config.api_key not in secret(notified, account)
    assert secret(notified, ACME) != secret(notified, HOOLI)


async def test_notifications_that_come_twice_and_in_any_order_make_each_event_once(notified: Stage) -> None:
    account = notified.account(HOOLI)
    made = {entity: int(account.create(entity, {"name": "Short life"})["id"]) for entity in ENTITIES}
    for entity, record_id in made.items():
        await notified.event(entity, "created", record_id, HOOLI)
    last = {entity: account.edit(entity, record_id, {"details": "last words"}) for entity, record_id in made.items()}
    for entity, record_id in made.items():
        await notified.event(entity, "updated", record_id, HOOLI)
        account.delete(entity, record_id)
    await notified.noticed(HOOLI)
    for entity, record_id in made.items():
        key = f"{HOOLI}/{record_id}".encode()
        changes = [each for each in notified.log.of(notified.names.changes(entity)) if each.key == key]
        assert [change.value["op"] for change in changes] == ["c", "u", "d"]
        assert changes[-1].value["before"] == last[entity]
        assert repeated(changes) == []
    assert all(row.attempts for row in account.webhooks.deliveries)


async def test_a_stranger_is_refused_and_learns_nothing(notified: Stage) -> None:
    record_id = notified.account(ACME).create("company", {"name": "Coveted"})["id"]
    await notified.event("company", "created", record_id, ACME)
    body = notification(record_id)
    for token in (None, "", "guess", secret(notified, HOOLI), secret(notified)[:-1]):
        assert await post(address(notified), body, token) == 401
    assert await post(address(notified, "nobody"), body, secret(notified)) == 401
    await notified.noticed(ACME)
    about = notified.log.of(
        notified.names.inbox, lambda each: each.key == ACME.encode() and record_id in each.value["ids"]
    )
    assert [each.value["event"] for each in about] == ["created", "created"]


async def test_a_notification_that_is_authentic_and_untrue_makes_no_event(notified: Stage) -> None:
    record = notified.account(ACME).create("company", {"name": "Alive"})
    await notified.event("company", "created", record["id"], ACME)
    for event in ("delete", "new", "update"):
        assert await post(address(notified), notification(record["id"], event=event), secret(notified)) == 200
    await notified.noticed(ACME)
    key = f"{ACME}/{record['id']}".encode()
    changes = notified.log.of(notified.names.changes("company"), lambda each: each.key == key)
    assert [change.value["op"] for change in changes] == ["c"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 10_000,
        notification(event="burn"),
        notification(1, kind="unicorn"),
        {**notification(), "ids": ["1"]},
        {**notification(), "ids": list(range(1, 5000))},
    ],
    ids=[
        "nothing",
        "cut off",
        "a list",
        "no text",
        "deeply nested",
        "unknown event",
        "unknown type",
        "an id of text",
        "too many ids",
    ],  # a time in an id would differ between the workers of one run
)
async def test_an_authentic_body_that_is_no_notification_is_refused(notified: Stage, body: Any) -> None:
    await notified.copper.notified()
    before = await notified.log.end(notified.names.inbox)
    assert await post(address(notified), body, secret(notified)) == 400
    assert await notified.log.end(notified.names.inbox) == before


async def test_the_public_port_has_nothing_but_webhooks(notified: Stage) -> None:
    root = address(notified).removesuffix(f"/webhooks/copper/{ACME}")
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/metrics", "/readyz", "/livez", "/api/status", "/webhooks/copper/", "/webhooks/copper/A/b"):
            async with session.get(root + path) as answer:
                assert answer.status == 404, path
        async with session.get(address(notified)) as answer:
            assert answer.status == 405


async def test_an_oversized_body_is_refused(notified: Stage) -> None:
    assert await post(address(notified), b"x" * 1_000_000, secret(notified)) == 413


async def test_a_body_that_never_ends_is_closed_within_seconds(notified: Stage) -> None:
    assert notified.running is not None
    port, token = notified.running.public_port, f"{TOKEN_HEADER}: {secret(notified)}".encode()
    async with asyncio.TaskGroup() as group:
        for framing in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
            head = [b"POST /webhooks/copper/acme HTTP/1.1", b"Host: bridge", framing, token]
            group.create_task(_trickle(port, b"\r\n".join([*head, b"", b""])))


async def _trickle(port: int, head: bytes) -> None:
    """Send the head and then, for ever, a little now and then, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)

    async def send() -> None:
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.5)

    sending = asyncio.create_task(send())
    answer = b""
    try:
        async with asyncio.timeout(10):
            while more := await reader.read(1000):
                answer += more
    except ConnectionError:
        pass
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
