"""The class of an update: what somebody did, or what happened by itself."""

from typing import Any

from bridge.contract.events import ChangeClass, changed_fields
from bridge.policy.classes import ENRICHMENT_SECONDS, classify

CREATED = 1_790_000_000


def record(**fields: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "name": "Tideglass",
        "websites": [],
        "socials": None,
        "interaction_count": 0,
        "date_last_contacted": None,
    }
    return {"id": 7, "date_created": CREATED, "date_modified": CREATED, **blank, **fields}


def class_of(entity: str = "person", *, before: dict[str, Any] | None = None, **fields: Any) -> ChangeClass:
    old, new = record(**before or {}), record(**{"date_modified": CREATED + 500, **fields})
    return classify(entity, old, new, changed_fields(old, new))


def test_counters_and_dates_of_contact_are_an_interaction() -> None:
    assert class_of(interaction_count=1) is ChangeClass.INTERACTION
    assert class_of(interaction_count=1, date_last_contacted=CREATED + 490) is ChangeClass.INTERACTION


def test_anything_else_beside_them_is_an_edit() -> None:
    assert class_of(interaction_count=1, name="Tideglass Ltd") is ChangeClass.EDIT
    assert class_of(custom_fields=[{"custom_field_definition_id": 1, "value": 2}]) is ChangeClass.EDIT
    assert class_of(unheard_of=1) is ChangeClass.EDIT


def test_an_empty_field_that_fills_itself_right_after_the_creation_is_an_enrichment() -> None:
    assert class_of("company", date_modified=CREATED + 2, websites=[{"url": "http://a.example"}]) == "enrichment"
    both = class_of("company", date_modified=CREATED + 2, websites=[{"url": "u"}], interaction_count=1)
    assert both is ChangeClass.ENRICHMENT


def test_the_same_later_or_over_a_value_is_an_edit() -> None:
    late = CREATED + ENRICHMENT_SECONDS + 1
    assert class_of("company", date_modified=late, websites=[{"url": "u"}]) is ChangeClass.EDIT
    assert (
        class_of("company", before={"websites": [{"url": "v"}]}, date_modified=CREATED + 2, websites=[{"url": "u"}])
        is ChangeClass.EDIT
    )
    assert (
        class_of("company", before={"websites": [{"url": "v"}]}, date_modified=CREATED + 2, websites=[])
        is ChangeClass.EDIT
    )


def test_a_field_is_quiet_only_where_the_catalogue_says_so() -> None:
    """A project counts no interactions."""
    assert class_of("project", interaction_count=1) is ChangeClass.EDIT
