"""Calls: which request carries out what."""

import json
import re
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from yarl import URL

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, ReplyAddress, decode
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.copper import calls
from bridge.copper.entities import ENTITIES, SCANNED
from bridge.policy.sightings import Ask, Stamp

PATH = re.compile(
    r"/(companies|people|leads|opportunities|tasks|projects)(/[1-9][0-9]*|/search)?"
    r"|/activities|/people/fetch_by_email|/leads/upsert|/leads/[1-9][0-9]*/convert"
)

anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["../users/me", "//evil.example", "{id}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def command(entity: str, action: str, **parts: Any) -> Command:
    given_parts: dict[str, Any] = {"record_id": None, "email": None, "data": {}, "match": None} | parts
    return Command(
        id="c1",
        account="acme",
        entity=entity,
        action=action,
        expect=None,
        reply=ReplyAddress("copper.lead.replies", None, ()),
        deadline=None,
        lane="interactive",
        fingerprint="f",
        position=Position("copper.lead.commands", 0, 7),
        key=None,
        received_ms=0,
        headers=(),
        **given_parts,
    )


@pytest.mark.parametrize(
    ("asked", "method", "path", "body"),
    [
        (command("company", "create", data={"name": "T"}), "POST", "/companies", {"name": "T"}),
        (command("person", "update", record_id=7, data={"title": None}), "PUT", "/people/7", {"title": None}),
        (command("opportunity", "delete", record_id=7), "DELETE", "/opportunities/7", None),
        (command("task", "get", record_id=7), "GET", "/tasks/7", None),
        (command("project", "search", data={"name": "R"}), "POST", "/projects/search", {"name": "R"}),
        (command("activity", "create", data={"details": "d"}), "POST", "/activities", {"details": "d"}),
        (command("person", "get-by-email", email="a@b.c"), "POST", "/people/fetch_by_email", {"email": "a@b.c"}),
        (
            command("lead", "get-by-email", email="a@b.c"),
            "POST",
            "/leads/search",
            {"emails": "a@b.c", "page_number": 1, "page_size": 200},
        ),
        (
            command("lead", "upsert", data={"name": "I"}, match={"field": "email", "value": "a@b.c"}),
            "PUT",
            "/leads/upsert",
            {"properties": {"name": "I"}, "match": {"field_name": "email", "field_value": "a@b.c"}},
        ),
        (command("lead", "convert", record_id=7), "POST", "/leads/7/convert", {}),
        (
            command("lead", "convert", record_id=7, data={"person": {"name": "I"}}),
            "POST",
            "/leads/7/convert",
            {"details": {"person": {"name": "I"}}},
        ),
    ],
    ids=lambda value: f"{value.entity}-{value.action}" if isinstance(value, Command) else "",
)
def test_a_command_becomes_the_call_that_copper_documents(
    asked: Command, method: str, path: str, body: dict[str, Any] | None
) -> None:
    call = calls.of(asked)

    assert (call.method, call.path, call.body) == (method, path, body)


def test_every_action_of_the_contract_has_a_call_and_no_other() -> None:
    assert set(calls.COMMANDS) == {(action.entity, action.name) for action in CATALOGUE.actions}
    assert set(SCANNED) == set(CATALOGUE.followed)


@settings(deadline=None)
@given(
    pair=st.sampled_from(sorted(calls.COMMANDS)),
    record_id=anything,
    email=st.none() | st.text(),
    data=st.dictionaries(st.text(max_size=10), anything, max_size=3),
    match=st.fixed_dictionaries({"field": anything, "value": anything}),
)
def test_nothing_in_a_command_can_bend_the_path(pair: tuple[str, str], **parts: Any) -> None:
    try:
        call = calls.of(command(*pair, **parts))
    except (ValueError, TypeError):
        return

    assert PATH.fullmatch(call.path)
    assert PATH.fullmatch(call.route.replace("{id}", "1"))


URLS = re.compile(r"https://api\.copper\.example/developer_api/v1" + f"({PATH.pattern})")
BENT = [
    "../users/me",
    "//evil.example",
    "/..%2f..%2fusers",
    "7?x=1",
    "7#x",
    "a@b.c\r\nHost: evil.example",
    "\u2025/",
    "{id}",
    "7 ",
]
BY_PAIR = {(row.entity, row.name): row for row in CATALOGUE.actions}

texts = st.sampled_from(BENT) | st.text(max_size=20) | st.emails().map(lambda email: email + "/../me")
ids = st.integers(1, 2**63 - 1) | st.integers(-2, 2**65) | st.floats() | st.booleans() | texts


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Commands of every action, with some of what they say replaced by what might get elsewhere."""
    entity, action = draw(st.sampled_from(sorted(BY_PAIR)))
    asked = {"action": action, **BY_PAIR[entity, action].example}
    bent = {"id": ids, "email": texts, "match": st.fixed_dictionaries({"field": st.just("email"), "value": texts})}
    for name in asked.keys() & bent.keys():
        asked[name] = draw(bent[name] | st.just(asked[name]))
    if draw(st.booleans()) and isinstance(asked.get("data"), dict):
        asked["data"] = asked["data"] | {draw(st.sampled_from(["name", "email", "id", "url"])): draw(texts | ids)}
    return entity, asked


@settings(deadline=None, max_examples=300)
@given(messages())
def test_whatever_a_command_says_its_call_goes_to_a_route_of_the_table_on_the_one_host(
    message: tuple[str, dict[str, Any]],
) -> None:
    entity, asked = message
    record = Incoming(Position(f"copper.{entity}.commands", 0, 7), None, json.dumps(asked).encode(), (), 0)
    found = decode(record, entity=entity, names=TopicNames(), accounts=["acme"], allowed_replies=["*"])
    event(type(found).__name__)
    if isinstance(found, Malformed):
        return

    made = [calls.of(found)]
    if found.record_id is not None:
        made.append(calls.get(entity, found.record_id))
    if found.match is not None:
        made.append(calls.matching(entity, found.match))

    for call in made:
        url = URL("https://api.copper.example/developer_api/v1" + call.path, encoded=True)
        assert URLS.fullmatch(str(url))
        assert (url.host, url.raw_query_string, url.raw_fragment) == ("api.copper.example", "", "")


@pytest.mark.parametrize("record_id", [0, -1, 2**63, "7", "7/../8", True, None])
def test_what_is_no_id_makes_no_call(record_id: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        calls.get("lead", record_id)


@pytest.mark.parametrize(
    ("entity", "match", "filters"),
    [
        ("lead", {"field": "email", "value": "a@b.c"}, {"emails": "a@b.c"}),
        ("person", {"field": "email", "value": "a@b.c"}, {"emails": ["a@b.c"]}),
        ("lead", {"field": "name", "value": "Ivo"}, {"name": "Ivo"}),
        (
            "lead",
            {"field": "custom", "value": {"custom_field_definition_id": 5, "value": 7}},
            {"custom_fields": [{"custom_field_definition_id": 5, "value": 7}]},
        ),
    ],
)
def test_what_an_upsert_would_match_can_be_searched_for(
    entity: str, match: dict[str, Any], filters: dict[str, Any]
) -> None:
    assert calls.matching(entity, match).body == filters | {"page_number": 1, "page_size": 200}


def test_an_entity_without_addresses_is_not_searched_by_one() -> None:
    with pytest.raises(ValueError, match="by e-mail"):
        calls.matching("task", {"field": "email", "value": "a@b.c"})


def test_a_page_is_bounded_ordered_and_numbered_in_coppers_words() -> None:
    ask = Ask(Stamp.MODIFIED, descending=True, at_least=100, at_most=200, page=3, size=50)

    assert calls.search_page("lead", ask).body == {
        "sort_by": "date_modified",
        "sort_direction": "desc",
        "page_number": 3,
        "page_size": 50,
        "minimum_modified_date": 100,
        "maximum_modified_date": 200,
    }


def test_without_bounds_no_bound_is_sent() -> None:
    assert calls.search_page("person", Ask(Stamp.MODIFIED)).body == {
        "sort_by": "date_modified",
        "sort_direction": "asc",
        "page_number": 1,
        "page_size": 200,
    }


@pytest.mark.parametrize("entity", [name for name in SCANNED if not ENTITIES[name].modified_filter])
def test_a_bound_that_copper_refuses_is_never_sent(entity: str) -> None:
    with pytest.raises(ValueError, match="cannot bound"):
        calls.search_page(entity, Ask(Stamp.MODIFIED, at_least=1))

    assert calls.search_page(entity, Ask(Stamp.CREATED, at_least=1)).body is not None


def test_ids_are_asked_for_at_most_one_page_at_a_time() -> None:
    assert calls.by_ids("task", [1, 2]).body == {"ids": [1, 2], "page_number": 1, "page_size": 200}
    with pytest.raises(ValueError, match="200"):
        calls.by_ids("task", range(1, 202))
    with pytest.raises(ValueError, match="200"):
        calls.by_ids("task", [])


def test_the_repr_of_a_call_shows_no_record() -> None:
    assert "Tideglass" not in repr(calls.create("company", {"name": "Tideglass"}))
