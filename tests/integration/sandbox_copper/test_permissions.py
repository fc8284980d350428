"""What team permissions hide is gone for the API's user, by id and in search, and nothing says so."""

from bridge.sandbox.copper import Account
from tests.integration.sandbox_copper.conftest import Call


async def test_a_hidden_record_is_gone_by_id_and_in_every_search_until_it_is_shown_again(
    acme: Account, call: Call
) -> None:
    first, second = (int(acme.create("company", {"name": name})["id"]) for name in ("one", "two"))
    acme.hide("company", first)
    assert (await call("GET", f"/companies/{first}")).status == 404
    assert (await call("PUT", f"/companies/{first}", {"name": "three"})).status == 404
    assert (await call("GET", f"/companies/{second}")).status == 200
    for question in ({"sort_by": "date_modified"}, {"ids": [first, second]}, {"name": "one"}):
        found = await call("POST", "/companies/search", question)
        assert first not in [row["id"] for row in found.json]
    acme.show()
    assert (await call("GET", f"/companies/{first}")).status == 200
    assert len((await call("POST", "/companies/search", {"ids": [first, second]})).json) == 2


async def test_the_user_behind_the_credentials_can_become_another(acme: Account, call: Call) -> None:
    acme.sign_in_as(7)
    assert (await call("GET", "/users/me")).json["id"] == 7
