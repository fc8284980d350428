"""Field policy: what is denied or hashed leaves in no form, whatever the record is like."""

from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.fields import ALWAYS, FieldPolicy, one_version

KEY = b"a key of the deployment"
RECORD = {
    "id": 7,
    "name": "Mara",
    "emails": [{"email": "mara@tideglass.example", "category": "work"}],
    "interaction_count": 3,
    "details": None,
    "custom_fields": [
        {"custom_field_definition_id": 1, "value": "secret"},
        {"custom_field_definition_id": 2, "value": [3, "x"]},
    ],
    "date_created": 1,
    "date_modified": 2,
}


def policy(**lists: list[str] | None) -> FieldPolicy:
    allow = lists.get("allow")
    return FieldPolicy(
        None if allow is None else frozenset(allow),
        frozenset(lists.get("deny") or ()),
        frozenset(lists.get("hashed") or ()),
        KEY,
    )


def test_without_rules_everything_leaves_as_it_is() -> None:
    assert policy().apply(RECORD) == RECORD


def test_only_what_is_allowed_leaves_with_id_and_stamps() -> None:
    assert policy(allow=["name"]).apply(RECORD).keys() == {"id", "name", "date_created", "date_modified"}


def test_what_is_denied_does_not_leave_though_it_is_allowed() -> None:
    shown = policy(allow=["name", "emails"], deny=["emails"]).apply(RECORD)
    assert shown.keys() == {"id", "name", "date_created", "date_modified"}


def test_texts_are_hashed_where_they_stand_and_numbers_become_null() -> None:
    shown = policy(hashed=["name", "emails", "interaction_count", "details"]).apply(RECORD)
    assert shown["name"].startswith("hmac-sha256:")
    assert shown["emails"][0].keys() == {"email", "category"}
    assert shown["emails"][0]["email"].startswith("hmac-sha256:")
    assert (shown["interaction_count"], shown["details"]) == (None, None)


def test_custom_fields_are_ruled_one_by_one_or_all_together() -> None:
    def rows(**lists: list[str] | None) -> Any:
        return policy(**lists).apply(RECORD).get("custom_fields")

    assert [row["custom_field_definition_id"] for row in rows(deny=["custom_fields.1"])] == [2]
    assert rows(deny=["custom_fields"]) is None
    assert [row["custom_field_definition_id"] for row in rows(allow=["custom_fields.2"])] == [2]
    assert rows(allow=["name"]) is None
    assert len(rows(allow=["custom_fields"])) == 2
    one, two = rows(hashed=["custom_fields"])
    assert one["value"].startswith("hmac-sha256:")
    assert two["value"][0] is None
    assert rows(hashed=["custom_fields.2"])[0]["value"] == "secret"


def test_equal_values_hash_alike_under_one_key_and_otherwise_under_another() -> None:
    mine, other = policy(hashed=["name"]), FieldPolicy(hashed=frozenset({"name"}), key=b"another")
    assert mine.apply(RECORD)["name"] == mine.apply({**RECORD, "id": 8})["name"]
    assert mine.apply(RECORD)["name"] != other.apply(RECORD)["name"]


def test_a_policy_knows_which_fields_it_touches() -> None:
    rules = policy(deny=["emails", "custom_fields.1"], hashed=["name"])
    assert [name for name in RECORD if rules.touches(name)] == ["name", "emails", "custom_fields"]
    assert [name for name in RECORD if policy(allow=["name"]).touches(name)] == [
        "emails", "interaction_count", "details", "custom_fields"
    ]  # fmt: skip


def test_the_key_is_in_no_repr() -> None:
    assert "deployment" not in repr(policy())


names = st.sampled_from([*RECORD, "custom_fields.1", "custom_fields.2"]).filter(lambda name: name not in ALWAYS)
lists = st.lists(names, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CANARY = "canary-4711"


@given(st.none() | lists, lists, lists, st.dictionaries(names.filter(lambda name: "." not in name), values))
def test_applying_a_policy_twice_changes_nothing_and_the_stamps_stay(
    allow: list[str] | None, deny: list[str], hashed: list[str], fields: dict[str, Any]
) -> None:
    rules = policy(allow=allow, deny=deny, hashed=hashed)
    shown = rules.apply({**RECORD, **fields})
    assert rules.apply(shown) == shown
    assert {name: shown[name] for name in ALWAYS} == {name: RECORD[name] for name in ALWAYS}


@given(st.lists(names, min_size=1, max_size=4), st.booleans(), values)
def test_no_text_of_a_ruled_field_is_left_anywhere(ruled: list[str], deny: bool, shape: Any) -> None:
    canary = {"deep": [CANARY, shape]}
    record = {name: canary if name in ruled else value for name, value in RECORD.items()}
    record["custom_fields"] = [
        {
            "custom_field_definition_id": number,
            "value": canary if {"custom_fields", f"custom_fields.{number}"} & {*ruled} else "x",
        }
        for number in (1, 2)
    ]
    shown = policy(deny=ruled).apply(record) if deny else policy(hashed=ruled).apply(record)
    assert CANARY.encode() in orjson.dumps(record)
    assert CANARY.encode() not in orjson.dumps(shown)


@given(st.none() | lists, lists, lists, st.none() | lists, lists, lists, st.booleans())
def test_forms_of_one_version_are_known_as_such_whatever_the_two_policies(
    allow: list[str] | None,
    deny: list[str],
    hashed: list[str],
    later_allow: list[str] | None,
    later_deny: list[str],
    later_hashed: list[str],
    rekeyed: bool,
) -> None:
    old = policy(allow=allow, deny=deny, hashed=hashed)
    new = policy(allow=later_allow, deny=later_deny, hashed=later_hashed)
    new = replace(new, key=b"another") if rekeyed else new
    assert one_version(new.apply(old.apply(RECORD)), new.apply(RECORD))
    assert (old.mark == new.mark) == (old == new)


def test_another_value_that_both_policies_show_is_another_version() -> None:
    old, new = policy(deny=["details", "custom_fields.2"]), policy(hashed=["interaction_count"])
    edits: list[dict[str, Any]] = [
        {"name": "Mara Reed"},
        {"emails": []},
        {"emails": [{"email": "m@tideglass.example", "category": "work"}]},
        {"emails": [{"email": "mara@tideglass.example"}]},
        {"custom_fields": [{"custom_field_definition_id": 1, "value": "other"}]},
    ]
    for edit in edits:
        assert not one_version(old.apply(RECORD), new.apply({**RECORD, **edit}))
    assert one_version(old.apply(RECORD), new.apply({**RECORD, "details": "shown only now"}))


def test_custom_fields_are_left_as_they_are_by_a_policy_that_says_nothing_of_them() -> None:
    assert policy(deny=["name"]).apply({"id": 1, "custom_fields": None}) == {"id": 1, "custom_fields": None}
