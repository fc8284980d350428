"""Subscriptions and notifications, delivered for real to an endpoint of the test's own."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web


@dataclass
class Endpoint:
    """What was notified; `statuses` are answered in turn, then 200."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    third: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
async def endpoint() -> AsyncGenerator[Endpoint]:
    heard = Endpoint()

    async def hear(request: web.Request) -> web.Response:
        heard.bodies.append(await request.json())
        heard.tokens.append(request.headers.get("X-Bridge-Token"))
        if len(heard.bodies) == 3:
            heard.third.set()
        return web.Response(status=heard.statuses.pop(0) if heard.statuses else 200)

    app = web.Application()
    app.router.add_post("/hook", hear)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield heard
    await runner.cleanup()


@pytest.fixture
def subscribe(call: Any, endpoint: Endpoint) -> Any:
    async def ask(kind: str, event: str) -> Any:
        headers, secret = {"X-Bridge-Token": "t1"}, {"hook_key": "k1"}
        body = {"target": endpoint.url, "type": kind, "event": event, "headers": headers, "secret": secret}
        return (await call("POST", "/webhooks", body)).json

    return ask


async def test_a_notification_carries_ids_secret_and_headers_but_no_record(
    subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint, clock: Any
) -> None:
    row = await subscribe("company", "new")
    clock.now += 0.118
    made = acme.create("company", {"name": "Tideglass"})
    await copper.notified()

    expected: dict[str, Any] = {
        "ids": [made["id"]],
        "type": "company",
        "event": "new",
        "timestamp": "2026-09-21T14:13:20.118Z",
    }
    expected |= {"subscription_id": row["id"], "updated_attributes": {}, "hook_key": "k1"}
    assert endpoint.bodies == [expected]
    assert endpoint.tokens == ["t1"]


async def test_an_update_tells_old_and_new_values_and_what_happens_nearby_is_no_update(
    subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint, clock: Any
) -> None:
    made = acme.create("lead", {"name": "Ivo"})
    await subscribe("lead", "update")
    clock.now += 5
    acme.create("task", {"name": "Call", "related_resource": {"type": "lead", "id": made["id"]}})
    fields = [{"custom_field_definition_id": 50313, "value": 7}]
    acme.edit("lead", made["id"], {"status": "Contacted", "custom_fields": fields})
    acme.edit("lead", made["id"], {"status": "Contacted"})
    await copper.notified()

    assert acme.record("lead", made["id"])["date_modified"] == clock.now
    assert [body["updated_attributes"] for body in endpoint.bodies] == [
        {"status": ["New", "Contacted"], "status_id": [60801, 60803], "custom_fields": {"50313": [None, 7]}}
    ]


async def test_api_writes_are_notified_too(subscribe: Any, call: Any, copper: Any, endpoint: Endpoint) -> None:
    await subscribe("task", "delete")
    made = (await call("POST", "/tasks", {"name": "Call"})).json
    await call("DELETE", f"/tasks/{made['id']}")
    await copper.notified()

    assert [body["ids"] for body in endpoint.bodies] == [[made["id"]]]


async def test_the_losers_of_a_merge_are_deleted(subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint) -> None:
    await subscribe("company", "delete")
    one, two, three = (acme.create("company", {"name": name, "tags": [name]}) for name in ("a", "b", "c"))
    copper.knobs.webhook_aggregation = 0.5
    merged = acme.merge("company", one["id"], two["id"], three["id"])
    copper.shift_clock(1)
    await copper.notified()

    assert merged["tags"] == ["a", "b", "c"]
    assert [body["ids"] for body in endpoint.bodies] == [[two["id"], three["id"]]]


async def test_at_most_thirty_ids_share_a_notification(
    subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint
) -> None:
    copper.knobs.webhook_aggregation = 0.5
    await subscribe("task", "new")
    for number in range(65):
        acme.create("task", {"name": f"t{number}"})
    copper.shift_clock(1)
    await copper.notified()

    assert sorted(len(body["ids"]) for body in endpoint.bodies) == [5, 30, 30]


async def test_a_delayed_notification_waits_for_the_doubles_clock(
    subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint
) -> None:
    copper.knobs.webhook_delay = (900.0, 900.0)
    await subscribe("task", "new")
    acme.create("task", {"name": "Call"})
    waiting = [delivery.fate for delivery in acme.webhooks.deliveries]
    copper.shift_clock(901)
    await copper.notified()

    assert waiting == ["waiting"]
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(("redeliveries", "heard"), [(0, 1), (8, 4)])
async def test_a_refused_notification_is_repeated_only_if_the_knob_says_so(
    redeliveries: int, heard: int, subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint
) -> None:
    copper.set_knobs(webhook_redeliveries=redeliveries, webhook_redelivery_after=0.001)
    endpoint.statuses = [500, 500, 503]
    await subscribe("task", "new")
    acme.create("task", {"name": "Call"})
    await copper.notified()

    assert len(endpoint.bodies) == heard
    assert acme.webhooks.deliveries[0].fate == ("delivered" if redeliveries else "refused")


async def test_notifications_are_dropped_doubled_and_overtaken(
    subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint
) -> None:
    await subscribe("task", "new")
    copper.set_knobs(webhook_drop=1.0)
    acme.create("task", {"name": "lost"})
    copper.set_knobs(webhook_drop=0.0, webhook_duplicate=1.0)
    twice = acme.create("task", {"name": "twice"})["id"]
    await copper.notified()
    doubled = [body["ids"] for body in endpoint.bodies]
    copper.set_knobs(webhook_duplicate=0.0, webhook_reorder=1.0)
    first = acme.create("task", {"name": "first"})["id"]
    copper.set_knobs(webhook_reorder=0.0)
    second = acme.create("task", {"name": "second"})["id"]
    async with asyncio.timeout(5):
        await endpoint.third.wait()
    copper.shift_clock(2)
    await copper.notified()

    assert doubled == [[twice], [twice]]
    assert [body["ids"] for body in endpoint.bodies[2:]] == [[second], [first]]


async def test_one_notification_can_be_sent_again(subscribe: Any, acme: Any, copper: Any, endpoint: Endpoint) -> None:
    await subscribe("task", "new")
    acme.create("task", {"name": "Call"})
    await copper.notified()
    acme.webhooks.repeat(0)
    await copper.notified()

    assert endpoint.bodies[0] == endpoint.bodies[1]


async def test_a_target_that_is_not_there_harms_nobody(call: Any, acme: Any, copper: Any) -> None:
    body = {"target": "http://127.0.0.1:9/hook", "type": "task", "event": "new"}
    await call("POST", "/webhooks", body)
    acme.create("task", {"name": "Call"})
    await copper.notified()

    assert [(row.fate, row.attempts, row.status) for row in acme.webhooks.deliveries] == [("refused", 1, None)]


async def test_subscriptions_are_listed_in_clear_changed_and_deleted(subscribe: Any, call: Any) -> None:
    row = await subscribe("task", "new")
    path = f"/webhooks/{row['id']}"
    changed = await call("PUT", path, {"secret": {"hook_key": "k2"}})
    listed = await call("GET", "/webhooks")
    fixed = await call("PUT", path, {"event": "delete"})
    deleted = await call("DELETE", path)

    assert listed.json == [changed.json] == [row | {"secret": {"hook_key": "k2"}}]
    assert fixed.message.endswith("Base: Unrecognized attributes specified: event")
    assert deleted.json == {"id": row["id"]}
    assert (await call("GET", path)).status == 404


async def test_a_wrong_subscription_is_refused_in_coppers_words(call: Any, copper: Any, endpoint: Endpoint) -> None:
    strange = await call("POST", "/webhooks", {"target": endpoint.url, "event": "new", "url": "x"})
    copper.knobs.webhook_allow_http = False
    plain = await call("POST", "/webhooks", {"target": endpoint.url, "type": "task", "event": "new"})

    words = "Invalid input: Validation errors: Base: Unrecognized attributes specified: url\nType: can't be blank"
    assert strange.json == {"success": False, "status": 422, "message": words}
    assert plain.message == "Invalid input: Invalid URI For External Request"


async def test_an_account_has_at_most_a_hundred_subscriptions(call: Any, endpoint: Endpoint) -> None:
    body = {"target": endpoint.url, "type": "task", "event": "new"}
    statuses = [(await call("POST", "/webhooks", body)).status for _ in range(101)]

    assert statuses == [200] * 100 + [422]
