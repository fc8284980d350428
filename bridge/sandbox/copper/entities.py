"""The double's own table of Copper's entities: paths, writable fields, defaults of a fresh record, sort keys.

Read by every other module of the double. It deliberately shares nothing with the bridge's own table, so that a mistake
in one does not hide in both. Facts: Copper's documentation and observations of its API.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
"""A record as the API sends it. Never changed in place once stored: every change makes a new one."""

NAMES = {"prefix": "text", "first_name": "text", "middle_name": "text", "last_name": "text", "suffix": "text"}
SHARED = {"name": "text", "assignee_id": "id", "details": "text", "tags": "tags", "custom_fields": "custom_fields"}
PLACE = {"address": "address", "phone_numbers": "phones", "socials": "links", "websites": "links"}
MONEY = {"monetary_unit": "text", "monetary_value": "number"}

PRIORITIES = ("None", "Low", "Medium", "High")
OPPORTUNITY_STATUSES = ("Open", "Won", "Lost", "Abandoned")
TASK_STATUSES = ("Open", "Completed")
DATES = "date_modified date_created"
PLACES = "city state country zip"


@dataclass(frozen=True, slots=True)
class Entity:
    """One row of the table. `writable` maps a field to its kind (see `validation`)."""

    name: str
    plural: str
    writable: Mapping[str, str]
    fresh: Mapping[str, Any]
    """Value of every field nobody has set, except id, dates and custom fields."""
    sorts: frozenset[str]
    modified_filter: bool = True
    bulk: frozenset[str] = frozenset()
    relates_to: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _blank(*names: str, **given: Any) -> dict[str, Any]:
    return dict.fromkeys(names) | given


PERSON = Entity(
    "person",
    "people",
    SHARED
    | PLACE
    | NAMES
    | {"company_id": "id", "company_name": "text", "contact_type_id": "id", "emails": "emails", "title": "text"},
    _blank("name", *NAMES, "address", "assignee_id", "company_id", "company_name", "contact_type_id", "details")
    | {"emails": [], "phone_numbers": [], "socials": [], "tags": [], "title": None, "websites": []}
    | {"date_last_contacted": None, "interaction_count": 0, "leads_converted_from": [], "date_lead_created": None},
    _words(f"first_name name last_name title email phone socials {PLACES} {DATES}"),
    modified_filter=False,
    bulk=_words("bulk_create bulk_update"),
    relates_to=_words("company opportunity task project"),
)
COMPANY = Entity(
    "company",
    "companies",
    SHARED | PLACE | {"contact_type_id": "id", "email_domain": "text", "primary_contact_id": "id"},
    _blank("name", "address", "assignee_id", "contact_type_id", "details", "email_domain", "primary_contact_id")
    | {"phone_numbers": [], "socials": [], "tags": [], "websites": [], "interaction_count": 0},
    _words(
        "name phone contact contact_first_name contact_last_name email_domain assignee contact_group last_interaction "
        f"interaction_count primary_website socials {PLACES} {DATES}"
    ),
    modified_filter=False,
    bulk=_words("bulk_create bulk_update"),
    relates_to=_words("opportunity person task project"),
)
LEAD = Entity(
    "lead",
    "leads",
    SHARED
    | PLACE
    | NAMES
    | MONEY
    | {
        "company_name": "text",
        "customer_source_id": "id",
        "email": "email",
        "status": "text",
        "status_id": "id",
        "title": "text",
    },
    _blank("name", *NAMES, "address", "assignee_id", "company_name", "customer_source_id", "details", "email")
    | _blank("monetary_unit", "monetary_value", "converted_unit", "converted_value", "status", "status_id", "title")
    | _blank("date_last_contacted", "converted_opportunity_id", "converted_contact_id", "converted_at")
    | {"interaction_count": 0, "socials": [], "tags": [], "websites": [], "phone_numbers": []},
    _words(f"name first_name last_name company_name title value email phone inactive_days socials {PLACES} {DATES}"),
    bulk=_words("bulk_create bulk_update"),
    relates_to=_words("task"),
)
OPPORTUNITY = Entity(
    "opportunity",
    "opportunities",
    SHARED
    | MONEY
    | {
        "close_date": "day",
        "company_id": "id",
        "customer_source_id": "id",
        "loss_reason_id": "id",
    }
    | {
        "pipeline_id": "id",
        "pipeline_stage_id": "id",
        "primary_contact_id": "id",
        "priority": "choice",
        "status": "choice",
    }
    | {"win_probability": "number"},
    _blank("name", "assignee_id", "close_date", "company_id", "company_name", "customer_source_id", "details")
    | _blank("loss_reason_id", "pipeline_id", "pipeline_is_revenue", "pipeline_stage_id", "primary_contact_id")
    | _blank("monetary_unit", "monetary_value", "converted_unit", "converted_value", "win_probability")
    | {"pipeline_type": "opportunity", "priority": "None", "status": "Open", "tags": [], "interaction_count": 0}
    | {"date_stage_changed": None, "date_last_contacted": None, "leads_converted_from": [], "date_lead_created": None},
    _words(
        "name assignee company_name customer_source_id inactive_days interaction_count last_interaction monetary_unit "
        f"monetary_value primary_contact priority stage status {DATES}"
    ),
    bulk=_words("bulk_create"),
    relates_to=_words("company person task project"),
    choices={"priority": PRIORITIES, "status": OPPORTUNITY_STATUSES},
)
TASK = Entity(
    "task",
    "tasks",
    SHARED
    | {
        "related_resource": "related",
        "due_date": "stamp",
        "reminder_date": "stamp",
        "priority": "choice",
        "status": "choice",
    }
    | {"custom_activity_type_id": "id"},
    _blank("name", "assignee_id", "due_date", "reminder_date", "completed_date", "details", "custom_activity_type_id")
    | {"related_resource": {"id": None, "type": None}, "priority": "None", "status": "Open", "tags": []},
    _words(f"due_date name assigned_to related_to status priority reminder_date completed_date {DATES}"),
    relates_to=_words("company person opportunity lead project"),
    choices={"priority": PRIORITIES, "status": TASK_STATUSES},
)
PROJECT = Entity(
    "project",
    "projects",
    SHARED | {"related_resource": "related", "status": "choice"},
    _blank("name", "related_resource", "assignee_id", "details") | {"status": "Open", "tags": []},
    _words(f"name assigned_to related_to status {DATES}"),
    relates_to=_words("company person opportunity task"),
    choices={"status": TASK_STATUSES},
)

ENTITIES = {entity.name: entity for entity in (PERSON, COMPANY, LEAD, OPPORTUNITY, TASK, PROJECT)}
PLURALS = {entity.plural: entity for entity in ENTITIES.values()}
ACTIVITY = "activity"
"""The seventh entity is no row: it has no name, no index of its own and other rules. See `activities`."""
