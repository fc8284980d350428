"""Bulk, person by e-mail, lead upsert and convert, related items."""

from typing import Any

import pytest


async def test_a_person_is_found_by_email_at_once_and_an_unknown_address_is_404(call: Any, copper: Any) -> None:
    copper.knobs.index_lag = 1000.0
    made = await call("POST", "/people", {"name": "Mara", "emails": [{"email": "mara@x.example"}]})
    found = await call("POST", "/people/fetch_by_email", {"email": "MARA@x.example"})
    unknown = await call("POST", "/people/fetch_by_email", {"email": "nobody@x.example"})

    assert found.json == made.json
    assert (unknown.status, unknown.message) == (404, "Resource not found")


@pytest.mark.parametrize(
    "match",
    [
        {"field_name": "email", "field_value": "Ivo@x.example"},
        {"field_name": "name", "field_value": "Ivo"},
        {"field_name": "custom", "field_value": {"custom_field_definition_id": 50313, "value": 9}},
    ],
)
async def test_an_upsert_creates_once_and_then_updates(match: dict[str, Any], call: Any, acme: Any) -> None:
    mark = [{"custom_field_definition_id": 50313, "value": 9}]
    properties = {"name": "Ivo", "email": {"email": "ivo@x.example", "category": "work"}, "custom_fields": mark}
    first = await call("PUT", "/leads/upsert", {"properties": properties, "match": match})
    second = await call("PUT", "/leads/upsert", {"properties": {"title": "Buyer"}, "match": match})

    assert second.json == first.json | {"title": "Buyer"}
    assert len(acme.records("lead")) == 1


async def test_an_upsert_that_matches_several_leads_names_them(call: Any, acme: Any) -> None:
    ids = [acme.create("lead", {"name": "Ivo"})["id"] for _ in range(2)]
    body = {"properties": {"title": "x"}, "match": {"field_name": "name", "field_value": "Ivo"}}
    several = await call("PUT", "/leads/upsert", body)
    acme.load("lead", [{"name": "Ivo"} for _ in range(30)])
    many = await call("PUT", "/leads/upsert", body)

    assert several.status == many.status == 422
    assert all(str(record_id) in several.message for record_id in ids)
    assert not any(str(record_id) in many.message for record_id in ids)


async def test_upserts_on_the_lagging_index_may_make_twins(call: Any, acme: Any, copper: Any) -> None:
    copper.knobs.upsert_reads_index, copper.knobs.index_lag = True, 1000.0
    body = {"properties": {"name": "Ivo"}, "match": {"field_name": "name", "field_value": "Ivo"}}
    for _ in range(2):
        await call("PUT", "/leads/upsert", body)

    assert len(acme.records("lead")) == 2


async def test_a_converted_lead_is_gone_yet_search_shows_it_when_asked(call: Any, acme: Any) -> None:
    email = {"email": "ivo@x.example", "category": "work"}
    lead = acme.create("lead", {"name": "Ivo Brand", "company_name": "Brand & Co", "email": email})
    made = (await call("POST", f"/leads/{lead['id']}/convert", {"details": {"opportunity": {"name": "Deal"}}})).json
    plain = await call("POST", "/leads/search", {"ids": [lead["id"]]})
    asked = await call("POST", "/leads/search", {"ids": [lead["id"]], "include_converted_leads": True})

    assert (await call("GET", f"/leads/{lead['id']}")).status == 404
    assert made["person"]["emails"] == [email]
    assert made["person"]["company_id"] == made["company"]["id"]
    assert made["opportunity"]["primary_contact_id"] == made["person"]["id"]
    assert plain.json == []
    assert asked.json[0]["converted_contact_id"] == made["person"]["id"]
    assert acme.records("lead") == []


async def test_a_bulk_call_answers_item_by_item_in_order(call: Any) -> None:
    items = [{"name": "One"}, {"name": ""}, {"name": "Three"}]
    made = await call("POST", "/companies/bulk_create", {"companies": items})
    edits = [{"id": made.json[0]["id"], "details": "x"}, {"id": 5, "details": "y"}]
    edited = await call("POST", "/companies/bulk_update", {"companies": edits})

    assert made.status == edited.status == 200
    assert [row.get("name") for row in made.json] == ["One", None, "Three"]
    assert made.json[1] == {"success": False, "message": {"name": [{"error": "invalid"}]}}
    assert edited.json[0]["details"] == "x"
    assert (edited.json[1]["success"], edited.json[1]["id"]) == (False, 5)


async def test_more_than_ten_items_are_refused_with_the_short_envelope(call: Any) -> None:
    answer = await call("POST", "/leads/bulk_create", {"leads": [{"name": "x"}] * 11})

    assert (answer.status, answer.json) == (422, {"error": "Request size too large, limit is 10"})


async def test_relations_go_both_ways_and_show_in_the_fields(call: Any, acme: Any) -> None:
    company, other = (acme.create("company", {"name": name}) for name in ("Tideglass", "Brand"))
    mara = acme.create("person", {"name": "Mara"})
    path = f"/people/{mara['id']}/related"

    def resource(record: Any) -> dict[str, Any]:
        return {"resource": {"id": record["id"], "type": "company"}}

    put = await call("PUT", f"/people/{mara['id']}", {"company_id": company["id"]})
    added = await call("POST", path, resource(company))
    second = await call("POST", path, resource(other))
    back = await call("GET", f"/companies/{company['id']}/related/people")
    linked = (await call("GET", f"/people/{mara['id']}")).json["company_id"]
    removed = await call("DELETE", path, resource(company))
    again = await call("DELETE", path, resource(company))

    assert put.json["company_id"] is None, "a PUT does not re-link"
    assert added.json == {"added": True, **resource(company)}
    assert second.status == 422
    assert (back.json, linked) == ([{"id": mara["id"], "type": "person"}], company["id"])
    assert removed.json == {"removed": True, **resource(company)}
    assert again.message == "Invalid request: Resources are not related"
    assert (await call("GET", f"/people/{mara['id']}")).json["company_id"] is None


async def test_leads_can_be_switched_off_for_an_account(call: Any, acme: Any) -> None:
    acme.config.leads_enabled = False
    answer = await call("POST", "/leads/search", {})

    assert answer.status == 403
    assert "Feature not enabled" in answer.message
    assert (await call("GET", "/account")).json["settings"]["setting_enable_leads"] is False
