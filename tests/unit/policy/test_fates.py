"""What became of a record: a conversion is read, a merge is suspected by what only one record can have."""

from typing import Any

import pytest

from bridge.contract.events import Fate
from bridge.policy.fates import conversion, merge


def test_a_converted_lead_names_what_it_became() -> None:
    lead = {"id": 7, "converted_at": 1, "converted_contact_id": 70, "converted_opportunity_id": 71}
    assert conversion(lead) == Fate("converted", {"person": 70, "opportunity": 71})
    assert conversion({**lead, "converted_opportunity_id": None}) == Fate("converted", {"person": 70})
    assert conversion({"id": 7, "converted_at": 1, "converted_contact_id": "no id"}) == Fate("converted", {})


def test_a_lead_that_was_not_converted_has_no_fate() -> None:
    assert conversion({"id": 7, "converted_at": None}) is None
    assert conversion({"id": 7}) is None


@pytest.mark.parametrize(
    ("entity", "loser", "other"),
    [
        ("person", {"emails": [{"email": "A@x.ex"}]}, {"emails": [{"email": "b@x.ex"}, {"email": "a@X.ex"}]}),
        ("company", {"email_domain": "x.example"}, {"email_domain": "X.example"}),
        ("company", {"websites": [{"url": "http://x.example"}]}, {"websites": [{"url": "http://x.example"}]}),
        ("company", {"phone_numbers": [{"number": "1"}]}, {"phone_numbers": [{"number": "1"}]}),
        ("lead", {"email": {"email": "a@x.example"}}, {"email": {"email": "a@x.example"}}),
    ],
)  # fmt: skip
def test_what_hardly_two_records_share_makes_a_suspicion(
    entity: str, loser: dict[str, Any], other: dict[str, Any]
) -> None:
    assert merge(entity, {"id": 7, **loser}, [{"id": 8}, {"id": 9, **other}]) == Fate("merge-suspected", {entity: 9})


@pytest.mark.parametrize(
    ("entity", "loser", "other"),
    [
        ("person", {"phone_numbers": [{"number": "1"}]}, {"phone_numbers": [{"number": "1"}]}),  # colleagues share it
        ("company", {"email_domain": ""}, {"email_domain": ""}),
        ("company", {"websites": None, "name": "X"}, {"websites": None, "name": "X"}),
        ("company", {"websites": [None, 7, {"url": 7}]}, {"websites": [None, 7, {"url": 7}]}),
        ("task", {"email": {"email": "a@x.example"}}, {"email": {"email": "a@x.example"}}),
    ],
)
def test_what_many_share_or_nobody_has_makes_none(entity: str, loser: dict[str, Any], other: dict[str, Any]) -> None:
    assert merge(entity, {"id": 7, **loser}, [{"id": 9, **other}]) is None


def test_a_record_is_not_merged_into_itself() -> None:
    person = {"id": 7, "emails": [{"email": "a@x.example"}]}
    assert merge("person", person, [person]) is None
