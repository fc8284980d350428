"""Subscriptions at the Copper double, and the notifications that come of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bridge.copper import calls
from bridge.copper.client import CopperAccount
from bridge.copper.notifications import EVENTS, TOKEN_HEADER, Notification, authentic, digest, read, webhook_secret
from bridge.copper.subscriptions import listed, reconcile
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.policy.subscribing import Plan, Synced, Wanted
from bridge.sandbox.copper import CopperDouble, Fault

WANTED = [Wanted(entity, event) for entity in ("company", "task") for event in EVENTS]
TARGET = "https://bridge.tideglass.example/webhooks/copper/acme"
FOREIGN = {
    "target": "https://elsewhere.example/hook",
    "type": "company",
    "event": "delete",
    "headers": {"X-Theirs": "1"},
}


def headers(key: str = "canary") -> dict[str, str]:
    return {TOKEN_HEADER: webhook_secret(key, "acme")}


async def kept(account: CopperAccount) -> list[Any]:
    """Every subscription as Copper lists it."""
    rows = await account.call(calls.list_subscriptions(), Lane.CHECKS)
    assert isinstance(rows, list)
    return rows


async def test_subscriptions_become_what_is_wanted_and_stay_so(acme: CopperAccount, copper: CopperDouble) -> None:
    await acme.call(calls.create_subscription(FOREIGN), Lane.CHECKS)

    first = await reconcile(acme, WANTED, target=TARGET, headers=headers())
    assert isinstance(first, Synced)
    assert (first.plan.create, first.plan.foreign) == (tuple(WANTED), 1)
    assert await reconcile(acme, WANTED, target=TARGET, headers=headers()) == Synced(
        Plan((), (), (), 1, keep=first.ids), first.ids
    )
    assert first.ids == tuple(sorted(row["id"] for row in await kept(acme) if row["target"] == TARGET))

    ours = [row for row in await kept(acme) if row["target"] == TARGET]
    assert {(row["type"], row["event"]) for row in ours} == {(each.entity, each.event) for each in WANTED}
    assert all(row["headers"] == headers() for row in ours)


async def test_a_new_secret_is_given_to_what_is_there_and_the_unwanted_go(acme: CopperAccount) -> None:
    await acme.call(calls.create_subscription(FOREIGN), Lane.CHECKS)
    await reconcile(acme, WANTED, target=TARGET, headers=headers())
    done = await reconcile(acme, WANTED[:2], target=TARGET, headers=headers("a new key"))

    assert isinstance(done, Synced)
    assert (len(done.plan.update), len(done.plan.delete), done.plan.create) == (2, 4, ())
    rows = await kept(acme)
    assert [row["headers"] for row in rows if row["target"] == TARGET] == [headers("a new key")] * 2
    assert [row["target"] for row in rows if row["target"] != TARGET] == [FOREIGN["target"]]


async def test_trouble_on_the_way_is_told_and_the_next_time_goes_on(acme: CopperAccount, copper: CopperDouble) -> None:
    copper.fault(Fault("status", status=500, method="POST", path="/webhooks", skip=2))
    trouble = await reconcile(acme, WANTED, target=TARGET, headers=headers())

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.IN_DOUBT
    assert len(await kept(acme)) == 2

    await reconcile(acme, WANTED, target=TARGET, headers=headers())
    assert len(await kept(acme)) == len(WANTED)


async def test_trouble_with_the_list_touches_nothing(acme: CopperAccount, copper: CopperDouble) -> None:
    copper.fault(Fault("status", status=503, method="GET", path="/webhooks"))

    assert isinstance(await reconcile(acme, WANTED, target=TARGET, headers=headers()), Trouble)
    assert len(copper.calls) == 1


async def test_what_somebody_removed_or_pointed_elsewhere_is_healed_and_strangers_are_left_alone(
    acme: CopperAccount,
) -> None:
    await acme.call(calls.create_subscription(FOREIGN), Lane.CHECKS)
    first = await reconcile(acme, WANTED, target=TARGET, headers=headers())
    assert isinstance(first, Synced)
    gone, moved = first.ids[:2]
    await acme.call(calls.delete_subscription(gone), Lane.CHECKS)
    await acme.call(calls.update_subscription(moved, {"target": "https://elsewhere.example/mine"}), Lane.CHECKS)

    healed = await reconcile(acme, WANTED, target=TARGET, headers=headers(), made=first.ids)
    assert isinstance(healed, Synced)
    assert (healed.plan.vanished, healed.plan.moved, healed.plan.update, len(healed.plan.create)) == (1, 1, (moved,), 1)
    targets = sorted(row["target"] for row in await kept(acme))
    assert targets == sorted([TARGET] * len(WANTED) + [str(FOREIGN["target"])])


async def test_what_was_made_for_a_former_address_goes_with_it(acme: CopperAccount) -> None:
    await acme.call(calls.create_subscription(FOREIGN), Lane.CHECKS)
    first = await reconcile(acme, WANTED, target=TARGET, headers=headers())
    assert isinstance(first, Synced)
    last = await reconcile(acme, (), target=None, headers={}, made=first.ids)
    assert isinstance(last, Synced)
    assert last.ids == ()
    assert [row["target"] for row in await kept(acme)] == [FOREIGN["target"]]


async def test_what_is_listed_shows_no_secret(acme: CopperAccount) -> None:
    await reconcile(acme, WANTED, target=TARGET, headers=headers())

    assert headers()[TOKEN_HEADER] not in repr(await listed(acme))


@pytest.fixture
async def hooked() -> AsyncIterator[tuple[str, asyncio.Queue[tuple[dict[str, str], bytes]]]]:
    """An address for notifications, and what arrives there."""
    arrived: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        arrived.put_nowait((dict(request.headers), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", arrived
    await runner.cleanup()


async def test_a_notification_that_copper_sends_is_authentic_and_readable(
    acme: CopperAccount, copper: CopperDouble, hooked: tuple[str, asyncio.Queue[tuple[dict[str, str], bytes]]]
) -> None:
    target, arrived = hooked
    await reconcile(acme, WANTED, target=target, headers=headers())
    people = copper.account("acme")
    task = people.create("task", {"name": "Call Mara"})
    people.delete("task", task["id"])

    seen = []
    for _ in range(2):
        async with asyncio.timeout(10):
            given, body = await arrived.get()
        assert authentic(given, [digest(headers()[TOKEN_HEADER])])
        assert not authentic(given, [digest(headers("another")[TOKEN_HEADER])])
        notification = read(body)
        assert isinstance(notification, Notification)
        seen.append((notification.entity, notification.event, notification.ids))
    assert sorted(seen) == [("task", "created", (task["id"],)), ("task", "deleted", (task["id"],))]
