"""Creates, reads, updates and deletes over HTTP, in Copper's shapes and words."""

from typing import Any

import pytest

PLURALS = ["people", "companies", "leads", "opportunities", "tasks", "projects"]


@pytest.mark.parametrize("plural", PLURALS)
async def test_a_record_lives_from_create_to_delete(plural: str, call: Any) -> None:
    made = await call("POST", f"/{plural}", {"name": "Tideglass", "details": "first"})
    path = f"/{plural}/{made.json['id']}"

    edited = await call("PUT", path, {"details": "second"})
    read = await call("GET", path)
    deleted = await call("DELETE", path)

    assert [made.status, edited.status, read.status, deleted.status] == [200] * 4
    assert read.json == edited.json == made.json | {"details": "second"}
    assert deleted.json == {"id": made.json["id"], "is_deleted": True}
    for method in ("GET", "PUT", "DELETE"):
        gone = await call(method, path, {} if method == "PUT" else None)
        assert gone.json == {"success": False, "status": 404, "message": "Resource not found"}


async def test_an_activity_needs_type_parent_and_details_and_leaves_a_stub_when_deleted(call: Any) -> None:
    lead = (await call("POST", "/leads", {"name": "Ivo Brand"})).json
    bare = await call("POST", "/activities", {})
    body = {"type": {"category": "user", "id": 0}, "parent": {"type": "lead", "id": lead["id"]}, "details": "met"}
    made = await call("POST", "/activities", body)
    found = await call("POST", f"/leads/{lead['id']}/activities", {})
    await call("DELETE", f"/activities/{made.json['id']}")
    stub = await call("GET", f"/activities/{made.json['id']}")

    assert bare.status == 422
    assert bare.message.count("can't be blank") == 3
    assert found.json == [made.json]
    assert stub.json == {"id": made.json["id"], "is_deleted": True}


async def test_omitted_stays_and_null_clears_and_lists_are_replaced(call: Any) -> None:
    made = (await call("POST", "/people", {"name": "Jo Bennett", "title": "Buyer", "tags": ["a", "b"]})).json
    path = f"/people/{made['id']}"

    same = await call("PUT", path, {})
    cleared = await call("PUT", path, {"title": None, "tags": ["c"]})

    assert same.json == made
    assert cleared.json == made | {"title": None, "tags": ["c"]}
    assert (await call("PUT", path, {"tags": None})).json["tags"] == []


async def test_a_custom_field_is_set_alone_and_every_definition_is_shown(call: Any) -> None:
    made = (await call("POST", "/companies", {"name": "Tideglass"})).json
    shown = {entry["custom_field_definition_id"]: entry["value"] for entry in made["custom_fields"]}
    body = {"custom_fields": [{"custom_field_definition_id": 50313, "value": 7}]}
    edited = (await call("PUT", f"/companies/{made['id']}", body)).json

    assert shown == {50313: None, 50312: None, 50321: None, 50322: []}
    assert {e["custom_field_definition_id"]: e["value"] for e in edited["custom_fields"]} == shown | {50313: 7}


async def test_computed_values_show_option_names_instead_of_ids(call: Any) -> None:
    fields = [{"custom_field_definition_id": 50321, "value": 8801}]
    made = (await call("POST", "/companies", {"name": "Tideglass", "custom_fields": fields})).json
    named = (await call("GET", f"/companies/{made['id']}?custom_field_computed_values=true")).json

    assert {"custom_field_definition_id": 50321, "value": "Gold"} in named["custom_fields"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/people", {}, "Name: can't be blank"),
        ("/people", {"name": "Jo", "nickname": 1}, "Base: Unrecognized attributes specified: nickname"),
        (
            "/people",
            {"name": " ", "shoe": 1, "hat": 2},
            "Base: Unrecognized attributes specified: shoe, hat\nName: can't be blank",
        ),
        (
            "/people",
            {"name": "Jo", "company_id": "test"},
            "Company Id: Invalid value for Company Id: IDs must be positive integers: test",
        ),
        ("/tasks", {"name": "Call", "priority": "Urgent"}, "Priority: is not included in the list"),
        ("/leads", {"name": "Ivo", "status": "Asleep"}, "Status: is not included in the list"),
    ],
)
async def test_a_wrong_body_is_refused_with_every_problem(path: str, body: Any, message: str, call: Any) -> None:
    refused = await call("POST", path, body)

    assert refused.status == 422
    assert refused.json == {
        "success": False,
        "status": 422,
        "message": f"Invalid input: Validation errors: {message}",
    }


async def test_a_persons_email_and_a_companys_domain_are_unique_whatever_the_case(call: Any) -> None:
    def person(address: str) -> dict[str, Any]:
        return {"name": "Mara", "emails": [{"email": address, "category": "work"}]}

    first = await call("POST", "/people", person("Mara@tideglass.example"))
    twin = await call("POST", "/people", person("mara@TIDEGLASS.example"))
    same = await call("PUT", f"/people/{first.json['id']}", {"emails": first.json["emails"]})
    await call("POST", "/companies", {"name": "One", "email_domain": "tideglass.example"})
    shared = await call("POST", "/companies", {"name": "Two", "email_domain": "tideglass.example"})
    await call("DELETE", f"/people/{first.json['id']}")
    free = await call("POST", "/people", person("mara@tideglass.example"))

    assert [twin.status, shared.status] == [422, 422]
    assert "has already been taken" in twin.message
    assert [same.status, free.status] == [200, 200]
    assert first.json["emails"][0]["email"] == "Mara@tideglass.example"


async def test_stamps_are_whole_seconds_of_the_doubles_clock_and_so_is_the_date_header(call: Any, clock: Any) -> None:
    clock.now = 1_790_000_000.9
    made = await call("POST", "/tasks", {"name": "Call"})
    clock.now = 1_790_000_003.2
    done = await call("PUT", f"/tasks/{made.json['id']}", {"status": "Completed"})

    assert (made.json["date_created"], made.json["date_modified"]) == (1_790_000_000, 1_790_000_000)
    assert (done.json["date_modified"], done.json["completed_date"]) == (1_790_000_003, 1_790_000_003)
    assert done.headers["Date"] == "Mon, 21 Sep 2026 14:13:23 GMT"


async def test_what_happens_near_a_record_moves_its_date_modified(call: Any, clock: Any) -> None:
    company = (await call("POST", "/companies", {"name": "Tideglass"})).json
    path = f"/companies/{company['id']}"
    parent = {"type": "company", "id": company["id"]}
    moved = []
    for cause in (
        ("POST", "/people", {"name": "Mara", "company_id": company["id"]}),
        ("POST", "/tasks", {"name": "Call", "related_resource": parent}),
        ("POST", "/activities", {"type": {"category": "user", "id": 190711}, "parent": parent, "details": "hi"}),
    ):
        clock.now += 10
        assert (await call(*cause)).status == 200
        moved.append((await call("GET", path)).json["date_modified"] == clock.now)

    assert moved == [True, True, True]
    assert (await call("GET", path)).json["interaction_count"] == 1


async def test_enrichment_changes_a_fresh_company_without_a_human_edit(call: Any, clock: Any, copper: Any) -> None:
    copper.knobs.enrichment = (2.0, 2.0)
    made = (await call("POST", "/companies", {"name": "Tideglass", "email_domain": "tideglass.example"})).json
    clock.now += 3
    later = (await call("GET", f"/companies/{made['id']}")).json

    assert later["date_modified"] == made["date_modified"] + 2
    assert later["websites"] == [{"url": "http://tideglass.example", "category": "work"}]


async def test_a_deleted_company_vanishes_from_the_records_that_named_it(call: Any) -> None:
    company = (await call("POST", "/companies", {"name": "Tideglass"})).json
    person = (await call("POST", "/people", {"name": "Mara", "company_id": company["id"]})).json
    await call("DELETE", f"/companies/{company['id']}")
    after = (await call("GET", f"/people/{person['id']}")).json

    assert (person["company_name"], after["company_id"], after["company_name"]) == ("Tideglass", None, None)


async def test_an_opportunity_starts_in_the_first_stage_of_the_default_pipeline(call: Any) -> None:
    body = {"name": "Pilot", "close_date": "03/09/2027", "monetary_value": 5}
    made = (await call("POST", "/opportunities", body)).json

    assert (made["pipeline_id"], made["pipeline_stage_id"], made["win_probability"]) == (5101, 7201, 5)
    assert (made["close_date"], made["monetary_unit"], made["status"]) == ("3/9/2027", "USD", "Open")


@pytest.mark.parametrize(("method", "path"), [("GET", "/people"), ("GET", "/nothing"), ("POST", "/tasks/bulk_create")])
async def test_a_route_copper_does_not_have_answers_the_short_envelope(method: str, path: str, call: Any) -> None:
    answer = await call(method, path, {} if method == "POST" else None)

    assert (answer.status, answer.json) == (404, {"error": "not_found"})


async def test_a_body_that_is_no_json_object_is_a_bad_request(call: Any) -> None:
    assert (await call("POST", "/people", [1])).status == 400


REFERENCE = ["account", "users/me", "pipelines", "pipeline_stages", "pipeline_stages/pipeline/5101", "lead_statuses"]
REFERENCE += ["customer_sources", "loss_reasons", "contact_types", "activity_types", "custom_field_definitions", "tags"]


@pytest.mark.parametrize("path", REFERENCE)
async def test_reference_data_is_there(path: str, call: Any) -> None:
    await call("POST", "/people", {"name": "Mara", "tags": ["vip"]})
    answer = await call("GET", f"/{path}")

    assert answer.status == 200
    assert answer.json
