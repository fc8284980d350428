"""The control interface over HTTP, and people at work."""

import asyncio
from itertools import islice
from random import Random
from typing import Any

from bridge.sandbox.copper import CopperDouble, DoubleAccount, run_copper
from bridge.sandbox.copper.entities import ENTITIES
from bridge.sandbox.copper.scenario import changes


async def test_a_scenario_can_be_played_from_elsewhere(call: Any, copper: Any) -> None:
    root = f"{copper.url}/_control"
    knobs = await call("PATCH", f"{root}/knobs", {"index_lag": 8, "enrichment": [1, 2]})
    made = await call("POST", f"{root}/accounts/acme/records/company", {"name": "Tideglass"})
    path = f"{root}/accounts/acme/records/company/{made.json['id']}"
    await call("PUT", path, {"name": "Tideglass Ltd"})
    seen = await call("POST", "/companies/search", {})
    truth = await call("GET", f"{root}/accounts/acme/records/company")
    await call("POST", f"{root}/clock", {"shift": 9})
    later = await call("POST", "/companies/search", {})
    loser = await call("POST", f"{root}/accounts/acme/records/company", {"name": "Tide"})
    pair = {"winner": made.json["id"], "losers": [loser.json["id"]]}
    await call("POST", f"{root}/accounts/acme/merge/company", pair)
    await call("DELETE", path)
    effects = await call("GET", f"{root}/accounts/acme/effects?since=1")

    assert (knobs.json["index_lag"], knobs.json["enrichment"]) == (8, [1, 2])
    assert [row["name"] for row in truth.json] == ["Tideglass Ltd"]
    assert (seen.json, [row["name"] for row in later.json]) == ([], ["Tideglass Ltd"])
    people = [(row["kind"], row["id"]) for row in effects.json if row["by"] == "people"]
    one, two = made.json["id"], loser.json["id"]
    assert people == [("update", one), ("create", two), ("delete", two), ("update", one), ("delete", one)]


async def test_faults_calls_accounts_and_credentials_are_ruled_from_elsewhere(call: Any, copper: Any) -> None:
    root = f"{copper.url}/_control"
    await call("POST", f"{root}/faults", [{"kind": "status", "status": 503}, {"kind": "reset"}])
    broken = await call("GET", "/account")
    await call("DELETE", f"{root}/faults")
    whole = await call("GET", "/account")
    log = (await call("GET", f"{root}/accounts/acme/calls")).json
    await call("POST", f"{root}/accounts/acme/revoke", {})
    revoked = await call("GET", "/account")
    await call("POST", f"{root}/accounts/acme/restore", {})
    await call("POST", f"{root}/accounts/acme/keys", {"api_key": "n" * 32})
    assert copper.account("acme").admits_key("n" * 32, copper.account("acme").config.user_email)
    await call("POST", f"{root}/accounts", {"name": "beta", "api_key": "b" * 32, "user_email": "ops@beta.example"})
    state = (await call("GET", root)).json

    assert [broken.status, whole.status, revoked.status] == [503, 200, 401]
    assert [(row["status"], row["fault"]) for row in log["calls"]] == [(503, "status before"), (200, None)]
    assert log["most_in_any_minute"] == 2
    assert (state["accounts"], state["faults"]) == (["acme", "beta"], [])
    assert "api_key" not in str(state)


async def test_a_wrong_order_is_told_what_is_wrong(call: Any, copper: Any) -> None:
    root = f"{copper.url}/_control"
    answers = [
        await call("PATCH", f"{root}/knobs", {"shoe_size": 43}),
        await call("POST", f"{root}/faults", {"kind": "status", "colour": 1}),
        await call("GET", f"{root}/accounts/nobody/effects"),
    ]

    assert [answer.status for answer in answers] == [400, 400, 400]
    assert "shoe_size" in answers[0].json["error"]


async def test_a_hundred_thousand_records_are_loaded_and_paged(acme: Any, call: Any) -> None:
    acme.load("person", ({"name": f"p{n}", "date_modified": 1_700_000_000 + n // 7} for n in range(100_000)))
    body = {"sort_by": "date_modified", "sort_direction": "desc", "page_size": 200, "page_number": 250}
    page = await call("POST", "/people/search", body)

    assert page.headers["X-PW-TOTAL"] == "100000"
    assert len({row["id"] for row in page.json}) == 200
    assert acme.effects == []


def worked(seed: int) -> list[Any]:
    config = DoubleAccount("acme", api_key="k", user_email="e@x.example")
    account = CopperDouble([config], clock=lambda: 1_790_000_000.0).account("acme")
    for change in islice(changes(account, Random(seed)), 1500):  # noqa: S311 - seeded on purpose
        change()
    return [(e.kind, e.entity, e.id, e.by, e.record) for e in account.effects]


async def test_people_at_work_touch_all_six_entities_and_repeat_with_the_seed() -> None:
    first, second, other = worked(1), worked(1), worked(2)

    assert first == second != other
    done = {(kind, entity) for kind, entity, *_ in first}
    assert done >= {(kind, entity) for kind in ("create", "update", "delete") for entity in ENTITIES}


async def test_people_begin_and_rest_when_told(call: Any, copper: Any, acme: Any) -> None:
    path = f"{copper.url}/_control/accounts/acme/people"
    await call("POST", path, {"every": 0.001})
    async with asyncio.timeout(10):
        await acme.reached(20)
    await call("DELETE", path)
    rested = len(acme.effects)
    await call("GET", "/account")

    assert len(acme.effects) == rested


async def test_the_double_serves_until_it_is_told_to_stop(session: Any, unused_port: int) -> None:
    stop = asyncio.Event()
    accounts = {"acme": DoubleAccount("acme", api_key="k", user_email="e@x.example")}
    serving = asyncio.create_task(run_copper("127.0.0.1", unused_port, accounts, seed=1, people=True, stop=stop))
    url = f"http://127.0.0.1:{unused_port}/_control/accounts/acme/effects"
    async with asyncio.timeout(10):
        while True:
            try:
                async with session.get(url) as answer:
                    effects = await answer.json()
                    break
            except OSError:
                await asyncio.sleep(0.01)
        stop.set()
        await serving

    assert effects
