"""Who may call, how often, and what the monitor says of it."""

import html
import re
from typing import Any

import pytest

from bridge.sandbox.copper import DoubleAccount

GOOD = {"X-PW-AccessToken": "k" * 32, "X-PW-Application": "developer_api", "X-PW-UserEmail": "ops@acme.example"}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        GOOD | {"X-PW-AccessToken": "wrong"},
        GOOD | {"X-PW-UserEmail": "other@acme.example"},
        GOOD | {"X-PW-Application": "mine"},
        {"Authorization": "Bearer wrong"},
    ],
)
async def test_wrong_credentials_are_401(wrong: dict[str, str], call: Any) -> None:
    answer = await call("GET", "/account", headers=wrong)

    assert answer.status == 401
    assert (answer.json["success"], answer.json["status"]) == (False, 401)


async def test_a_bearer_token_is_as_good_as_the_api_key(call: Any) -> None:
    assert (await call("GET", "/users/me", headers={"Authorization": "Bearer " + "t" * 64})).status == 200


async def test_accounts_in_one_server_do_not_see_each_other(call: Any, copper: Any) -> None:
    copper.add_account(DoubleAccount("beta", api_key="b" * 32, user_email="ops@beta.example"))
    beta = GOOD | {"X-PW-AccessToken": "b" * 32, "X-PW-UserEmail": "ops@beta.example"}
    made = (await call("POST", "/tasks", {"name": "Call"})).json

    assert (await call("GET", f"/tasks/{made['id']}", headers=beta)).status == 404
    assert copper.effects("beta") == []


async def test_after_a_revoke_everything_is_401_until_restored_with_the_new_key(call: Any, acme: Any) -> None:
    acme.revoke()
    refused = await call("GET", "/account")
    acme.restore("n" * 32)
    old = await call("GET", "/account")
    new = await call("GET", "/account", headers=GOOD | {"X-PW-AccessToken": "n" * 32})

    assert [refused.status, old.status, new.status] == [401, 401, 200]


async def test_two_keys_are_good_at_once_until_one_of_them_goes(call: Any, acme: Any) -> None:
    next_one = GOOD | {"X-PW-AccessToken": "n" * 32}
    before = await call("GET", "/account", headers=next_one)
    acme.add_key("n" * 32)
    both = [await call("GET", "/account"), await call("GET", "/account", headers=next_one)]
    assert acme.used_key == "n" * 32
    acme.restore("n" * 32)
    after = [await call("GET", "/account"), await call("GET", "/account", headers=next_one)]

    assert [before.status, *(each.status for each in (*both, *after))] == [401, 200, 200, 401, 200]


async def test_180_calls_pass_in_any_60_seconds_and_the_next_is_429(call: Any, clock: Any, copper: Any) -> None:
    statuses = []
    for number in range(181):
        clock.now += 0.3 if number < 180 else 0.0
        statuses.append((await call("GET", "/account")).status)
    too_many = await call("GET", "/account")
    clock.now += 6.4
    room_again = (await call("GET", "/account")).status

    assert statuses == [200] * 180 + [429]
    assert "Retry-After" not in too_many.headers
    assert room_again == 200
    assert copper.max_calls_in_any_minute("acme") == 182


async def test_a_429_looks_as_the_knobs_say(call: Any, copper: Any) -> None:
    copper.set_knobs(calls_per_minute=0, retry_after=7, rate_body="html")
    answer = await call("GET", "/account")

    assert answer.status == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.body.startswith(b"<html>")


async def test_a_fourth_bulk_call_within_a_second_is_429(call: Any, clock: Any) -> None:
    body = {"leads": [{"name": "Ivo"}]}
    statuses = [(await call("POST", "/leads/bulk_create", body)).status for _ in range(4)]
    clock.now += 1.1

    assert statuses == [200, 200, 200, 429]
    assert (await call("POST", "/leads/bulk_create", body)).status == 200


async def test_every_call_is_logged_with_what_it_changed(call: Any, copper: Any) -> None:
    made = (await call("POST", "/tasks", {"name": "Call 4711"})).json
    await call("PUT", f"/tasks/{made['id']}", {"details": "x"})
    await call("DELETE", f"/tasks/{made['id']}")
    await call("GET", f"/tasks/{made['id']}")
    log = [(call.method, call.template, call.status, call.effects) for call in copper.calls]
    effects = [(e.kind, e.id, e.version, e.by, e.body) for e in copper.effects("acme")]

    assert log == [
        ("POST", "/tasks", 200, (1,)),
        ("PUT", "/tasks/{id}", 200, (2,)),
        ("DELETE", "/tasks/{id}", 200, (3,)),
        ("GET", "/tasks/{id}", 404, ()),
    ]
    assert effects == [
        ("create", made["id"], 1, "api", {"name": "Call 4711"}),
        ("update", made["id"], 2, "api", {"details": "x"}),
        ("delete", made["id"], 3, "api", {}),
    ]


async def test_oauth_posts_a_code_to_the_redirect_address_and_trades_it_once_for_a_token(
    call: Any, copper: Any, session: Any
) -> None:
    back = "https://bridge.example/oauth/callback"
    query = {"response_type": "code", "client_id": "sandbox-client", "scope": "developer/v1/all"}
    asked = query | {"redirect_uri": back, "state": 'a"b'}
    async with session.get(f"{copper.url}/oauth/authorize", params=asked) as answer:
        page = await answer.text()
    sent = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
    form = {"grant_type": "authorization_code", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    form |= {"redirect_uri": back, "code": sent["code"]}
    async with session.post(f"{copper.url}/oauth/token", data=form) as answer:
        token = await answer.json()
    async with session.post(f"{copper.url}/oauth/token", data=form) as answer:
        second = (answer.status, await answer.json())

    assert 'method="post"' in page
    assert f'action="{back}"' in page
    assert sent["state"] == 'a"b'
    assert token.keys() == {"access_token", "token_type", "scope"}
    assert second == (400, {"error": "invalid_grant"})
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await call("GET", "/account", headers=bearer)).status == 200
