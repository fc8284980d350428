"""The wire: what Copper's bytes mean."""

import traceback
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.copper import calls
from bridge.copper.calls import Call
from bridge.copper.wire import Answer, ApiKey, BearerToken, decipher, encode, retry_after
from bridge.policy.sightings import Ask, Stamp, Trouble, Why

GET = calls.get("company", 7)
SCAN = calls.search_page("person", Ask(Stamp.MODIFIED))
SEARCH = calls.search("company", {})
UPSERT = calls.upsert_lead({"name": "I"}, {"field": "name", "value": "I"})
EVERY_CALL = [
    GET,
    SEARCH,
    SCAN,
    UPSERT,
    calls.lead_by_email("a@b.c"),
    calls.convert_lead(7, {}),
    calls.list_subscriptions(),
]


def said(status: int, message: str) -> bytes:
    return orjson.dumps({"success": False, "status": status, "message": message})


def trouble(call: Call, status: int, body: bytes, **headers: str) -> Trouble:
    seen = decipher(call, status, headers, body)
    assert isinstance(seen, Trouble)
    return seen


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (GET, {"id": 7, "name": "T", "date_created": 1, "date_modified": 2}),
        (calls.by_ids("task", [7]), [{"id": 7, "date_created": 1, "date_modified": 2}]),
        (calls.update("task", 7, {}), {"id": 7, "name": "T"}),
        (SEARCH, []),
        (SEARCH, [{"id": 7}, {"id": 8, "unheard_of": None}]),
        (calls.delete("task", 7), {"id": 7, "is_deleted": True}),
        (calls.convert_lead(7, {}), {"person": {"id": 1}, "company": None, "opportunity": None}),
        (UPSERT, {"id": 9}),
    ],
)
def test_a_promised_answer_is_handed_on_as_it_is(call: Call, value: Any) -> None:
    seen = decipher(call, 200, {"x-pw-total": "41", "date": "Wed, 25 Nov 2026 01:07:48 GMT"}, orjson.dumps(value))

    assert seen == Answer(value, 41, 1795568868)


def test_absent_or_broken_headers_are_none() -> None:
    assert decipher(SEARCH, 200, {}, b"[]") == Answer([], None, None)
    assert decipher(SEARCH, 200, {"x-pw-total": "-1", "date": "yesterday"}, b"[]") == Answer([], None, None)


@pytest.mark.parametrize(
    ("call", "body", "reason"),
    [
        (GET, b"", "without a body"),
        (GET, b'{"id": 7, "na', "not JSON"),
        (GET, b"<html>fine</html>", "not JSON"),
        (GET, b"[]", "a list where one record was promised"),
        (GET, b"null", "null where one record was promised"),
        (GET, b'{"name": "T"}', "a record without an id"),
        (GET, b'{"id": true}', "a record without an id"),
        (GET, b'{"id": "7"}', "a record without an id"),
        (GET, b'{"id": 7, "date_created": 1}', "a record without whole-second stamps"),
        (SCAN, b'[{"id": 7, "date_created": 1, "date_modified": "2"}]', "a record without whole-second stamps"),
        (SEARCH, b'{"id": 7}', "an object where a list of records was promised"),
        (SEARCH, b'[{"id": 7}, 8]', "a bare value where one record was promised"),
        (calls.convert_lead(7, {}), b"[]", "a list where an object was promised"),
    ],
)
def test_a_success_that_is_not_what_was_promised_is_unreadable(call: Call, body: bytes, reason: str) -> None:
    seen = trouble(call, 200, body, **{"content-type": "text/html; charset=utf-8"})

    assert seen == Trouble(Why.UNREADABLE, f"Copper answered 200 (text/html): {reason}", 200)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, said(400, "Bad Request"), Why.INVALID),
        (401, b"", Why.UNAUTHORIZED),
        (401, said(401, "Invalid credentials"), Why.UNAUTHORIZED),
        (403, said(403, "Feature not enabled"), Why.FEATURE_DISABLED),
        (403, orjson.dumps({"error": "Feature not enabled"}), Why.FEATURE_DISABLED),
        (403, b"<html>forbidden</html>", Why.FORBIDDEN),
        (404, said(404, "Resource not found"), Why.NOT_FOUND),
        (405, b"", Why.INVALID),
        (408, b"", Why.IN_DOUBT),
        (409, b"", Why.CONFLICT),
        (422, said(422, "Invalid input: Invalid URI For External Request"), Why.INVALID),
        (422, orjson.dumps({"error": "Request size too large, limit is 10"}), Why.INVALID),
        (422, said(422, "Invalid input: Validation errors: Email Domain: has already been taken"), Why.CONFLICT),
        (
            422,
            said(422, "Invalid input: Validation errors: Base: Unrecognized attributes specified: taken"),
            Why.INVALID,
        ),
        (429, b"", Why.RATE_LIMITED),
        (429, b"<html>slow down</html>", Why.RATE_LIMITED),
        (500, said(500, "oops"), Why.IN_DOUBT),
        (502, b"<html>bad gateway</html>", Why.IN_DOUBT),
        (503, b"", Why.IN_DOUBT),
        (504, b"", Why.IN_DOUBT),
        (302, b"", Why.IN_DOUBT),
    ],
)
def test_each_status_has_its_class(status: int, body: bytes, why: Why) -> None:
    seen = trouble(GET, status, body)

    assert (seen.why, seen.status) == (why, status)


def test_a_404_that_speaks_of_no_record_is_not_taken_for_a_deleted_one() -> None:
    assert trouble(GET, 404, b'{"error":"not_found"}').why is Why.INVALID
    assert trouble(GET, 404, b'{"message":"Not Found"}').why is Why.INVALID
    assert trouble(GET, 404, b"<html>no such page</html>").why is Why.IN_DOUBT
    assert trouble(GET, 404, b"").why is Why.IN_DOUBT


def test_every_problem_copper_names_comes_by_its_field() -> None:
    message = (
        "Invalid input: Validation errors: Base: Unrecognized attributes specified: url\n"
        "Type: can't be blank\nCompany Id: Invalid value for Company Id: IDs must be positive integers: test\n"
        "Type: is not in the list\nsomething else"
    )

    assert trouble(GET, 422, said(422, message)).fields == {
        "base": ("Unrecognized attributes specified: url", "something else"),
        "type": ("can't be blank", "is not in the list"),
        "company_id": ("Invalid value for Company Id: IDs must be positive integers: test",),
    }


def test_an_upsert_that_matched_several_names_them() -> None:
    in_text = said(422, "Invalid input: Match criteria matched multiple leads: 94901210, 94901211")
    in_list = orjson.dumps({"success": False, "status": 422, "message": "Ambiguous", "ids": [94901210, 94901211]})

    for body in (in_text, in_list):
        seen = trouble(UPSERT, 422, body)
        assert (seen.why, seen.ids) == (Why.CONFLICT, (94901210, 94901211))
    assert trouble(UPSERT, 422, said(422, "Invalid input: Multiple leads match the given criteria")).why is Why.CONFLICT
    assert trouble(GET, 422, in_text).ids == ()


def test_the_detail_is_short_and_names_nobody() -> None:
    seen = trouble(
        GET, 422, said(422, "Invalid input: Validation errors: Emails: mara@tideglass.example is taken " + "x" * 500)
    )

    assert len(seen.detail) == 300
    assert "mara" not in repr(seen)


def test_the_text_of_a_gateways_page_stays_out_of_the_detail() -> None:
    assert (
        trouble(GET, 502, b"<html>secret</html>", **{"content-type": "text/html"}).detail
        == "Copper answered 502 (text/html)"
    )


STAMPS = {"date_created": 1_790_000_000, "date_modified": 1_790_000_000}


def test_a_lead_is_found_by_its_address_whatever_the_case() -> None:
    def lead(record_id: int, address: str) -> dict[str, Any]:
        return {"id": record_id, **STAMPS, "email": {"email": address, "category": "work"}}

    call = calls.lead_by_email("Ivo@Brand.example")
    listing = calls.matching("lead", {"field": "email", "value": "Ivo@Brand.example"})
    near, one, two = lead(1, "xivo@brand.example"), lead(2, "ivo@brand.EXAMPLE"), lead(3, "IVO@brand.example")
    odd: list[dict[str, Any]] = [{"id": 4, "email": None}, {"id": 5}, {"id": 6, "email": {"email": 7}}]

    def found(*leads: dict[str, Any], call: Call = call) -> Any:
        seen = decipher(call, 200, {}, orjson.dumps(leads))
        return seen.value if isinstance(seen, Answer) else seen.why

    assert found(near, *odd) is Why.NOT_FOUND
    assert found(near, one, *odd) == one
    assert found(one, near, two) == [one, two]
    assert found(near, call=listing) == []
    assert found(one, near, call=listing) == [one]


def test_a_person_is_known_by_any_of_the_addresses() -> None:
    person = {"id": 1, **STAMPS, "emails": [{"email": "a@b.c"}, {"email": "Mara@Tideglass.example"}, None]}
    seen = decipher(
        calls.matching("person", {"field": "email", "value": "mara@tideglass.example"}), 200, {}, orjson.dumps([person])
    )

    assert isinstance(seen, Answer)
    assert seen.value == [person]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "ids", "message", "error", "success", "status", "email", "name"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
messages = st.lists(
    st.text(max_size=20) | st.sampled_from(["Invalid input: ", "Validation errors: ", "Name: ", "\n", "7"])
).map("".join)
bodies = st.binary(max_size=100) | json_values.map(orjson.dumps) | messages.map(lambda text: said(422, text))
header_names = st.sampled_from(["date", "x-pw-total", "content-type", "retry-after"])


@settings(deadline=None)
@given(st.sampled_from(EVERY_CALL), st.integers(100, 999), st.dictionaries(header_names, st.text(max_size=40)), bodies)
@example(GET, 200, {"date": "Wed, 25 Nov 99999 01:07:48 GMT"}, b'{"id": 1}')
@example(GET, 200, {"x-pw-total": "9" * 5000}, b'{"id": 1}')
@example(SEARCH, 200, {}, b"[" * 100_000)
@example(UPSERT, 422, {}, said(422, "matched " + "9" * 5000))
def test_no_bytes_make_it_raise(call: Call, status: int, headers: dict[str, str], body: bytes) -> None:
    seen = decipher(call, status, headers, body)

    assert isinstance(seen, Answer | Trouble)
    assert isinstance(seen, Answer) <= (200 <= status < 300)
    assert len(getattr(seen, "detail", "")) <= 300
    assert (retry_after(headers) or 0) >= 0


def test_a_body_is_sent_as_json_and_only_where_there_is_one() -> None:
    assert encode(calls.create("task", {"name": "Réne"})) == '{"name":"Réne"}'.encode()
    assert encode(GET) is None


def test_a_wait_is_read_only_where_it_is_a_number() -> None:
    assert retry_after({"retry-after": " 17 "}) == 17.0
    assert retry_after({"retry-after": "Wed, 25 Nov 2026 01:07:48 GMT"}) is None
    assert retry_after({}) is None


def test_credentials_travel_as_copper_wants_them() -> None:
    assert ApiKey("k" * 32, "ops@acme.example").headers() == {
        "X-PW-AccessToken": "k" * 32,
        "X-PW-Application": "developer_api",
        "X-PW-UserEmail": "ops@acme.example",
    }
    assert BearerToken("t").headers() == {"Authorization": "Bearer t"}


@pytest.mark.parametrize("make", [lambda text: ApiKey(text, "a@b.c"), BearerToken])
@pytest.mark.parametrize("text", ["", "canary\r\nX-Evil: 1", "canary\u00e9"])
def test_a_secret_that_cannot_be_a_header_is_refused_without_being_told(
    make: Callable[[str], object], text: str
) -> None:
    with pytest.raises(ValueError, match="printable") as caught:
        make(text)

    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_no_repr_shows_a_secret() -> None:
    assert "canary" not in repr([ApiKey("canary", "ops@acme.example"), BearerToken("canary")])
