from typing import Any

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.policy.settling import (
    FILLED_SECONDS,
    KEY_BITS,
    LATEST_SECONDS,
    SKEW_SECONDS,
    Done,
    Doubt,
    Key,
    Look,
    SendAgain,
    Undecided,
    Verdict,
    Waits,
    key_of,
    look_for,
    recognizes,
    settle,
)

SINCE = 1_790_000_000
SENT = {"name": "Tideglass Ltd"}
OLD = {"id": 7, "name": "Tideglass", "date_created": SINCE - 900, "date_modified": SINCE - 900}
KEY = Key(501, 12345)


def settled(action: str, *found: dict[str, Any], entity: str = "lead", **known: Any) -> Verdict:
    return settle(Doubt(entity, action, known.pop("sent", SENT), SINCE, **known), found)


def made(record_id: int = 8, **fields: Any) -> dict[str, Any]:
    """A record that was created by the call, as far as its stamps tell."""
    return {"id": record_id, "date_created": SINCE + 1, "date_modified": SINCE + 2, **SENT, **fields}


def test_every_action_with_an_effect_can_be_settled() -> None:
    for row in CATALOGUE.actions:
        if row.effect:
            assert isinstance(look_for(Doubt(row.entity, row.name, SENT, SINCE)), Look)


# ------------------------------------------------------------------------------------------------ what can be read


def test_a_delete_was_done_when_the_record_is_gone() -> None:
    assert settled("delete") == Done(None)
    assert settled("delete", OLD) == SendAgain()


def test_an_update_was_done_when_the_record_has_what_was_sent() -> None:
    after = OLD | SENT | {"date_modified": SINCE + 1}
    assert settled("update", after) == Done(after)


def test_an_update_is_sent_again_when_nothing_has_changed_the_record_since() -> None:
    assert settled("update", OLD) == SendAgain()
    assert settled("update", OLD | {"date_modified": SINCE - SKEW_SECONDS - 1}) == SendAgain()


def test_an_update_is_sent_again_when_the_record_looks_as_it_was_known_to() -> None:
    bumped = OLD | {"date_modified": SINCE + 1}
    assert settled("update", bumped, as_known=[7]) == SendAgain()
    assert isinstance(settled("update", bumped, as_known=[8]), Undecided)


def test_an_update_over_which_somebody_else_wrote_is_undecided() -> None:
    assert isinstance(settled("update", OLD | {"name": "Other", "date_modified": SINCE + 1}), Undecided)
    assert isinstance(settled("update", OLD | {"date_modified": SINCE - SKEW_SECONDS}), Undecided)
    assert isinstance(settled("update"), Undecided)


def test_an_upsert_was_done_when_the_one_match_has_what_was_sent() -> None:
    assert settled("upsert", made()) == Done(made())


def test_an_upsert_is_sent_again_when_nothing_matches_or_nothing_has_changed_since() -> None:
    assert settled("upsert") == settled("upsert", OLD) == settled("upsert", OLD, OLD | {"id": 9}) == SendAgain()


def test_an_upsert_is_undecided_when_matches_have_been_changed_since() -> None:
    assert isinstance(settled("upsert", made(name="Other")), Undecided)
    assert isinstance(settled("upsert", OLD, made()), Undecided)


def test_a_convert_is_sent_again_only_while_the_lead_is_there() -> None:
    assert settled("convert", OLD, sent={}) == SendAgain()
    assert isinstance(settled("convert", sent={}), Undecided)


def test_a_convert_was_done_when_the_lead_became_what_was_asked() -> None:
    parts = {"person": {"id": 1, "name": "Ivo"}, "opportunity": {"id": 2, "name": "Pilot"}}
    assert settled("convert", parts, sent={}) == Done(parts)
    assert settled("convert", parts, sent={"opportunity": {"name": "Pilot"}}) == Done(parts)
    assert isinstance(settled("convert", parts, sent={"opportunity": {"name": "Other"}}), Undecided)
    assert isinstance(settled("convert", {"person": {"id": 1}}, sent={"opportunity": {"name": "Pilot"}}), Undecided)


# --------------------------------------------------------------------------------------------------------- creates


@pytest.mark.parametrize(
    ("entity", "sent", "key", "look"),
    [
        ("lead", SENT, KEY, Look.KEY),
        ("person", {"emails": [{"email": "a@b.example"}]}, KEY, Look.KEY),
        ("person", {"emails": [{"email": "a@b.example"}]}, None, Look.TWIN),
        ("person", SENT, None, Look.CREATED),
        ("company", {"email_domain": "b.example"}, None, Look.TWIN),
        ("company", {"email_domain": None}, None, Look.CREATED),
        ("task", SENT, None, Look.CREATED),
        ("activity", {"details": "x"}, None, Look.CREATED),
    ],
)
def test_a_create_is_looked_for_by_the_surest_mark_it_has(
    entity: str, sent: dict[str, Any], key: Key | None, look: Look
) -> None:
    assert look_for(Doubt(entity, "create", sent, SINCE, key)) is look


def test_a_create_was_done_when_one_record_carries_its_key_whatever_became_of_the_rest() -> None:
    renamed = made(name="renamed since")
    assert settled("create", renamed, key=KEY) == Done(renamed)
    assert settled("create", key=KEY) == SendAgain()
    assert isinstance(settled("create", made(), made(9), key=KEY), Undecided)


def test_a_create_with_a_unique_address_is_done_repeated_or_undecided_by_who_has_the_address() -> None:
    sent: dict[str, Any] = {"name": "Mara", "emails": [{"email": "a@b.example"}]}
    mine = made(**sent)
    assert settled("create", mine, entity="person", sent=sent) == Done(mine)
    assert settled("create", entity="person", sent=sent) == SendAgain()
    assert settled("create", OLD, entity="person", sent=sent) == SendAgain()
    assert isinstance(settled("create", made(name="Other"), entity="person", sent=sent), Undecided)


def test_a_create_was_done_when_one_record_of_that_time_is_exactly_as_asked() -> None:
    assert settled("create", OLD | SENT, made(), made(9, name="Other")) == Done(made())


def test_a_create_is_sent_again_when_no_record_of_that_time_can_be_its_own() -> None:
    assert settled("create") == settled("create", OLD | SENT) == settled("create", made(9, name="Other")) == SendAgain()


@pytest.mark.parametrize(
    "found",
    [
        [made(), made(9)],
        [made(details="somebody added this")],
        [made(name="renamed", date_modified=SINCE + 2 + FILLED_SECONDS)],
    ],
    ids=["two of them", "with more than was asked", "changed since it was created"],
)
def test_a_create_is_undecided_and_names_the_records_when_one_of_them_may_be_its_own(
    found: list[dict[str, Any]],
) -> None:
    verdict = settled("create", *found)
    assert isinstance(verdict, Undecided)
    assert all(str(record["id"]) in verdict.detail for record in found)


def test_an_undecided_create_names_ten_records_at_most() -> None:
    verdict = settled("create", *(made(each) for each in range(100, 120)))
    assert isinstance(verdict, Undecided)
    assert ("109" in verdict.detail, "110" in verdict.detail) == (True, False)


def test_a_key_is_the_same_for_every_attempt_and_another_for_every_command() -> None:
    keys = {key_of("acme", "lead", f"c-{number}", 501).number for number in range(1000)}
    assert len(keys) == 1000
    assert max(keys) < 2**KEY_BITS
    assert (
        key_of("acme", "lead", "c-1", 501) == key_of("acme", "lead", "c-1", 501) != key_of("acme", "task", "c-1", 501)
    )


def test_a_look_waits_for_late_effects_and_through_search_for_the_index() -> None:
    waits = Waits(timeout=20, lateness=10, index_lag=120)
    assert waits.before(Look.GET) == 32
    assert {waits.before(look) for look in Look if look is not Look.GET} == {152}


# -------------------------------------------------------------------------------------------------------- hindsight


def test_a_later_record_is_recognized_by_its_key_however_late_it_comes() -> None:
    doubt = Doubt("lead", "create", SENT, SINCE, KEY)
    late = made(name="renamed", date_created=SINCE + 100_000, custom_fields=[KEY.custom_field])
    assert recognizes(doubt, late, SINCE)
    assert not recognizes(doubt, made(), SINCE)


def test_without_a_key_a_later_record_is_recognized_by_its_values_for_a_while() -> None:
    doubt = Doubt("lead", "create", SENT, SINCE)
    assert recognizes(doubt, made(), SINCE)
    assert not recognizes(doubt, made(details="more"), SINCE)
    assert not recognizes(doubt, OLD | SENT, SINCE)
    assert not recognizes(doubt, made(date_created=SINCE + LATEST_SECONDS + 1), SINCE)
