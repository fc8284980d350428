"""Canaries: secrets and CRM data pushed through everything, then looked for in all that a bridge tells of itself."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from bridge.contract.commands import encode
from bridge.contract.signing import sign_command
from bridge.copper.notifications import TOKEN_HEADER
from bridge.sandbox.copper import Fault
from tests.integration.bridge.collector import collecting
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage, eventually, stage

ACCOUNT = "acme"
API_KEY = "acme-key"
SIGNING_KEY = "a signing key that nobody may see"
KAFKA_PASSWORD = "a password of Kafka that nobody may see"
HASH_KEY = "a hash key that nobody may see"
CANARY = "canary"
"""In every value of a record, of a command and of a request. Names of members are told to callers, values are not."""
PAGES = ("/metrics", "/api/status", "/livez", "/readyz", "/startupz", "/", "/api/history")
LOOKED_AT = (
    'commands_waiting{account="acme"}',
    'budget_used_calls{account="acme",lane="commands"}',
    'input_lag_records{topic="',
    'scan_interval_seconds{entity="lead"} 600.0',
    "event_loop_lag_seconds ",
)
"""Metrics that nobody tells."""
PERSON = {"name": "canary-name", "details": "canary-details", "emails": [{"email": "canary@reed.example"}]}
BROKEN: tuple[tuple[bytes | None, tuple[tuple[str, bytes], ...]], ...] = (
    (b'{"action": "canary', ()),
    (b'{"action": "create", "data": {"no_such_member": "canary"}}', ()),
    (b'{"action": "canary", "account": "canary"}', ()),
    (b'{"action": "get", "id": 7}', (("deadline", b"canary"), ("reply-to", b"canary"), ("lane", b"canary"))),
    (b"\xffcanary", (("traceparent", b"canary"), ("tracestate", b"canary=canary"))),
    (None, (("correlation-id", b"canary"),)),
)


async def _send(play: Stage, entity: str, action: str, number: int, **members: Any) -> bytes:
    """Send a signed command; its correlation id."""
    correlation, topic = f"c{number}".encode(), play.names.commands(entity)
    value, headers = encode(
        action, account=ACCOUNT, command_id=f"id-{number}", deadline=time.time() + 600, correlation=correlation,
        **members,
    )  # fmt: skip
    key = ACCOUNT.encode()
    headers = (*headers, sign_command(topic, key, value, headers, key_id="shop", secret=SIGNING_KEY.encode()))
    await play.send(topic, value, headers, key=key)
    return correlation


async def _ask(play: Stage, entity: str, action: str, number: int, **members: Any) -> Message:
    """Send one, and wait for its reply."""
    return await play.reply(entity, await _send(play, entity, action, number, **members))


async def _commands(play: Stage) -> list[str]:
    """What is done, what is in doubt, what Copper refuses or is silent about; the statuses."""
    made = await _ask(play, "person", "create", 1, data=PERSON)
    record_id = made.value["record"]["id"]
    for way, fault in enumerate((Fault("reset", when="after"), Fault("status", status=500)), 10):
        play.copper.fault(fault)
        await _ask(play, "person", "update", way, record_id=record_id, data={"details": f"canary-{way}"})
    asked: list[tuple[str, dict[str, Any]]] = [
        ("get-by-email", {"email": "canary@reed.example"}),
        ("search", {"data": {"name": "canary-name"}}),
        ("update", {"record_id": 7, "data": {"details": "canary"}}),
        ("create", {"data": {"name": "canary", "emails": [{"email": "canary-no-address", "category": "canary"}]}}),
        ("update", {"record_id": record_id, "expect": {"details": "canary"}, "data": {"details": "canary-more"}}),
        ("delete", {"record_id": record_id}),
    ]
    replies = [await _ask(play, "person", name, number, **more) for number, (name, more) in enumerate(asked, 20)]
    return [reply.value["status"] for reply in [made, *replies]]


async def _people(play: Stage) -> None:
    """Changes that webhooks tell of."""
    account = play.account(ACCOUNT)
    record_id = account.create("person", PERSON)["id"]
    await play.event("person", "created", record_id, ACCOUNT)
    account.edit("person", record_id, {"details": "canary-edited"})
    await play.event("person", "updated", record_id, ACCOUNT)
    account.delete("person", record_id)
    await play.event("person", "deleted", record_id, ACCOUNT)


def _token(play: Stage) -> str:
    """The secret that notifications carry."""
    row = next(iter(play.account(ACCOUNT).subscriptions.rows.values()))
    return (row.headers or {})[TOKEN_HEADER]


async def _strangers(play: Stage) -> list[int]:
    """Requests to the public port; the statuses."""
    target, token, found = (
        f"{str(play.settings.webhooks.public_url).rstrip(chr(47))}/webhooks/copper/{ACCOUNT}",
        _token(play),
        [],
    )
    async with aiohttp.ClientSession() as session:
        for body, secret in ((b"canary", "canary"), (b"canary", token), (b"canary" * 50_000, token), (b"[]", token)):
            async with session.post(target, data=body, headers={TOKEN_HEADER: secret}) as answer:
                found.append(answer.status)
    return found


@pytest.mark.figures
async def test_no_secret_and_nothing_of_the_crm_is_in_what_a_bridge_tells_of_itself(
    bootstrap_servers: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret: dict[str, Mapping[str, Any]] = {
        "commands": {"signing_keys": {"shop": SIGNING_KEY}},
        "events": {"poll_every": "10m", "hash_key": HASH_KEY},
        "kafka": {"username": "copper-bridge", "password": KAFKA_PASSWORD},
    }
    async with collecting() as (collector, address):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        async with stage(
            bootstrap_servers,
            tmp_path,
            [ACCOUNT],
            webhooks=True,
            commands=secret["commands"],
            events=secret["events"],
            kafka=secret["kafka"],
        ) as play:
            await play.subscribed(ACCOUNT)
            webhook_secret = _token(play)
            statuses = await _commands(play)
            await _people(play)
            for value, headers in BROKEN:
                await play.send(play.names.commands("person"), value, headers, key=b"canary")
            await play.log.wait(play.names.dead_letters("person"), lambda _: True, count=len(BROKEN))
            answers = await _strangers(play)
            play.copper.fault(Fault("status", status=401))
            await _send(play, "person", "get", 40, record_id=7)
            await eventually(lambda: any(call.status == 401 for call in play.copper.calls))
            pages = {path: (await play.page(path))[1] for path in PAGES}
            letters = play.log.of(play.names.dead_letters("person"))
            published = orjson.dumps([each.value for each in play.log.of(play.names.changes("person"))]).count(
                b"canary"
            )
    logged = "".join(capfd.readouterr())
    told = {
        "logs": logged,
        "traces": b"".join(collector.raw).decode(errors="replace"),
        "dead-letter headers": repr([pair for each in letters for pair in each.pairs if not _sent(pair)]),
        **pages,
    }
    secrets = (API_KEY, SIGNING_KEY, KAFKA_PASSWORD, HASH_KEY, webhook_secret)
    hits = [(where, word) for where, text in told.items() for word in (CANARY, *secrets) if word in text]
    with capfd.disabled():
        sizes = ", ".join(f"{where} {len(text)}" for where, text in told.items())
        print(f"\ncanaries published: {published}; looked through, in characters: {sizes}; hits: {len(hits)}")
    assert hits == []
    assert [name for name in LOOKED_AT if f"copper_bridge_{name}" not in pages["/metrics"]] == []
    assert {"succeeded", "failed"} <= set(statuses)
    assert answers == [401, 400, 413, 400]
    assert published > 3
    assert logged.count("\n") > 20
    assert len(collector.spans) > 20
    assert len(letters) >= len(BROKEN)


def _sent(pair: tuple[str, bytes]) -> bool:
    """Whether the header was the command's own: dead letters keep them."""
    return any(pair in headers for _, headers in BROKEN)
