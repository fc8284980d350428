"""Webhook bodies and their authentication."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.copper.notifications import Notification, Refusal, authentic, digest, read, webhook_secret

RECORDED = {
    "ids": [66120934],
    "type": "company",
    "event": "delete",
    "timestamp": "2027-01-04T09:12:44.118Z",
    "subscription_id": 560901,
    "updated_attributes": {},
    "hook_key": "k1",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def test_a_notification_as_copper_sends_it_is_read_in_the_bridges_words() -> None:
    assert read(orjson.dumps(RECORDED)) == Notification("company", "deleted", (66120934,), 1799053964118, 560901)


def test_an_id_named_twice_counts_once() -> None:
    assert read(orjson.dumps(RECORDED | {"ids": [3, 1, 3]})) == Notification(
        "company", "deleted", (3, 1), 1799053964118, 560901
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ids": []}, "ids are not"),
        ({"ids": [1] * 201}, "ids are not"),
        ({"ids": [0]}, "ids are not"),
        ({"ids": [True]}, "ids are not"),
        ({"ids": ["7"]}, "ids are not"),
        ({"ids": [2**63]}, "ids are not"),
        ({"ids": 7}, "ids are not"),
        ({"type": "activity"}, "unknown type"),
        ({"type": ["company"]}, "unknown type"),
        ({"event": "destroy"}, "unknown event"),
        ({"timestamp": "2027-01-04T09:12:44.118"}, "timestamp"),
        ({"timestamp": 1799053964}, "timestamp"),
        ({"subscription_id": None}, "subscription_id"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_a_reason(change: dict[str, object], reason: str) -> None:
    refusal = read(orjson.dumps(RECORDED | change))

    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(reason)


@settings(deadline=None)
@given(st.binary(max_size=200) | json_values.map(orjson.dumps))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(read(body), Notification | Refusal)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(RECORDED)), json_values))
def test_no_members_make_it_raise_or_pass_bounds(members: dict[str, object]) -> None:
    seen = read(orjson.dumps(RECORDED | members))

    if isinstance(seen, Notification):
        assert all(0 < record_id < 2**63 for record_id in seen.ids)


def test_the_right_token_is_authentic_whatever_the_case_of_its_header() -> None:
    secret = webhook_secret("key", "acme")

    assert authentic({"x-bridge-token": secret}, [digest(secret)])
    assert authentic({"Host": "here", "X-Bridge-Token": secret}, [digest(secret)])


def test_the_old_secret_is_good_as_long_as_it_is_expected() -> None:
    old, new = webhook_secret("old key", "acme"), webhook_secret("new key", "acme")

    assert authentic({"X-Bridge-Token": old}, [digest(new), digest(old)])
    assert not authentic({"X-Bridge-Token": old}, [digest(new)])


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=16) | st.just("X-Bridge-Token"), st.text(max_size=70), max_size=3))
def test_nothing_else_is_authentic_and_nothing_makes_it_raise(headers: dict[str, str]) -> None:
    assert not authentic(headers, [digest(webhook_secret("key", "acme"))])
    assert not authentic(headers, [])


def test_secrets_differ_by_account_and_key_and_do_not_show_the_key() -> None:
    secrets = {webhook_secret(key, account) for key in ("key-one", "key-two") for account in ("acme", "tide")}

    assert len(secrets) == 4
    assert all(len(secret) == 64 and "key" not in secret for secret in secrets)
