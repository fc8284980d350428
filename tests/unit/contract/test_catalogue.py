from collections import Counter
from pathlib import Path

import pytest

from bridge.contract.catalogue import CATALOGUE, load, topics_root


def test_all_six_followed_entities_have_all_four_kinds_of_event() -> None:
    assert CATALOGUE.followed == ("company", "person", "lead", "opportunity", "task", "project")
    assert all(
        set(CATALOGUE.kinds(entity)) == {"created", "updated", "upserted", "deleted"} for entity in CATALOGUE.followed
    )


def test_no_trigger_and_no_action_has_two_rows() -> None:
    rows = [(row.entity, row.kind) for row in CATALOGUE.triggers] + [
        (row.entity, row.name) for row in CATALOGUE.actions
    ]
    assert Counter(rows).most_common(1)[0][1] == 1


def test_every_name_in_a_row_is_known() -> None:
    shapes = CATALOGUE.shapes.keys()
    for entity in CATALOGUE.entities.values():
        assert {field.type for field in entity.fields.values()} <= shapes
        assert set(entity.filters.values()) <= shapes
    assert {row.entity for row in CATALOGUE.actions} == CATALOGUE.entities.keys()
    writable = {field.name for entity in CATALOGUE.entities.values() for field in entity.writable()}
    assert {row.field for row in CATALOGUE.names.values()} <= writable
    assert {row.shape for row in CATALOGUE.names.values()} <= shapes


def test_a_lead_has_one_email_and_a_person_has_several() -> None:
    lead, person = CATALOGUE.entities["lead"], CATALOGUE.entities["person"]
    assert (lead.fields["email"].type, person.fields["emails"].type) == ("email", "emails")
    assert "emails" not in lead.fields
    assert "email" not in person.fields


def test_what_copper_sets_itself_cannot_be_written() -> None:
    for entity in CATALOGUE.entities.values():
        assert not {"id", "date_created", "date_modified"} & {field.name for field in entity.writable()}


def test_a_look_up_of_what_is_not_there_is_none() -> None:
    assert CATALOGUE.action("company", "upsert") is None
    assert CATALOGUE.kinds("activity") == ()


def test_a_column_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    text = (topics_root() / "catalogue.toml").read_text(encoding="utf-8")
    (tmp_path / "catalogue.toml").write_text(text.replace("listed = true", "lited = true", 1), encoding="utf-8")
    with pytest.raises(TypeError, match="lited"):
        load(tmp_path / "catalogue.toml")
