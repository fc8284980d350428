"""An account's furniture: users, pipelines, statuses, sources, loss reasons, types, custom fields.

Made once per account, read by `writing` for defaults and by `routes` for the GET lists. Only custom field definitions
can be changed through the API.
"""

from dataclasses import dataclass, field
from typing import Any

from bridge.sandbox.copper.entities import ENTITIES
from bridge.sandbox.copper.knobs import DoubleAccount

Rows = list[dict[str, Any]]


def _named(first_id: int, *names: str) -> Rows:
    return [{"id": first_id + n, "name": name} for n, name in enumerate(names)]


def _users(config: DoubleAccount) -> Rows:
    groups = [{"id": 3101, "name": "Everyone"}]
    owner = {"id": 41201, "name": "Ada Okafor", "email": config.user_email, "groups": groups}
    others = [("Ben Lindqvist", "ben"), ("Chiara Rossi", "chiara"), ("Dev Patel", "dev")]
    return [owner] + [
        {"id": 41202 + n, "name": name, "email": f"{box}@{config.name}.example", "groups": groups}
        for n, (name, box) in enumerate(others)
    ]


def _pipelines() -> Rows:
    def stages(first_id: int, *steps: tuple[str, int]) -> Rows:
        return [{"id": first_id + n, "name": name, "win_probability": chance} for n, (name, chance) in enumerate(steps)]

    sales = stages(7201, ("Qualified", 5), ("Proposal", 30), ("Negotiation", 70), ("Contract", 90))
    renewals = stages(7301, ("Due", 50), ("In talks", 75))
    return [
        {"id": 5101, "name": "Sales", "stages": sales, "type": "opportunity", "is_revenue": True},
        {"id": 5102, "name": "Renewals", "stages": renewals, "type": "opportunity", "is_revenue": True},
    ]


def _statuses() -> Rows:
    names = ("New", "Unqualified", "Contacted", "Qualified")
    return [{"id": 60801 + n, "name": name, "order": n + 1, "is_default": n == 0} for n, name in enumerate(names)]


def _activity_types() -> dict[str, Rows]:
    def row(type_id: int, category: str, name: str, *, interaction: bool) -> dict[str, Any]:
        return {
            "id": type_id,
            "category": category,
            "name": name,
            "is_disabled": False,
            "count_as_interaction": interaction,
        }

    user = [row(0, "user", "Note", interaction=False)]
    user += [row(n, "user", name, interaction=True) for n, name in ((190711, "Phone Call"), (190712, "Meeting"))]
    system = [(1, "Property Changed"), (3, "Pipeline Stage Changed"), (6, "Email")]
    return {"user": user, "system": [row(n, "system", name, interaction=n == 6) for n, name in system]}  # noqa: PLR2004


def _custom_fields() -> Rows:
    everywhere = [*ENTITIES]
    tiers = [{"id": 8801 + n, "name": name, "rank": n} for n, name in enumerate(("Gold", "Silver", "Bronze"))]
    regions = [{"id": 8901 + n, "name": name, "rank": n} for n, name in enumerate(("North", "South", "East", "West"))]
    rows = [
        ("Nickname", "String", ["person", "lead"], False),
        ("Renewal date", "Date", ["company", "opportunity"], True),
    ]
    rows += [("Reference number", "Float", everywhere, True), ("Newsletter", "Checkbox", ["person", "lead"], True)]
    plain = [
        {"id": 50311 + n, "name": name, "data_type": kind, "available_on": on, "is_filterable": filterable}
        for n, (name, kind, on, filterable) in enumerate(rows)
    ]
    tier = {
        "id": 50321,
        "name": "Tier",
        "data_type": "Dropdown",
        "available_on": ["company", "lead"],
        "is_filterable": True,
    }
    region = {
        "id": 50322,
        "name": "Regions",
        "data_type": "MultiSelect",
        "available_on": ["company"],
        "is_filterable": True,
    }
    return [*plain, tier | {"options": tiers}, region | {"options": regions}]


@dataclass(slots=True)
class ReferenceData:
    """The lists of one account."""

    config: DoubleAccount
    users: Rows = field(init=False)
    pipelines: Rows = field(default_factory=_pipelines)
    lead_statuses: Rows = field(default_factory=_statuses)
    customer_sources: Rows = field(
        default_factory=lambda: _named(331240, "Email", "Cold Call", "Advertising", "Referral")
    )
    loss_reasons: Rows = field(default_factory=lambda: _named(300301, "Price", "Features", "Competitor"))
    contact_types: Rows = field(
        default_factory=lambda: _named(77011, "Potential Customer", "Current Customer", "Other")
    )
    activity_types: dict[str, Rows] = field(default_factory=_activity_types)
    custom_fields: dict[int, dict[str, Any]] = field(
        default_factory=lambda: {row["id"]: row for row in _custom_fields()}
    )

    def __post_init__(self) -> None:
        self.users = _users(self.config)

    def account(self) -> dict[str, Any]:
        """`GET /account`."""
        switches = {"setting_team_permissions_enabled": False, "setting_enable_leads": self.config.leads_enabled}
        return {"id": 90100, "name": self.config.name, "primary_timezone": "America/Los_Angeles", "settings": switches}

    def stages(self) -> Rows:
        """`GET /pipeline_stages`."""
        return [stage | {"pipeline_id": line["id"]} for line in self.pipelines for stage in line["stages"]]

    def stage(self, stage_id: int | None) -> dict[str, Any] | None:
        """The stage of that id, with its pipeline's."""
        return next((stage for stage in self.stages() if stage["id"] == stage_id), None)

    def interaction(self, activity_type: dict[str, Any]) -> bool:
        """Whether an activity of that type counts as an interaction."""
        rows = self.activity_types.get(activity_type.get("category", ""), [])
        return any(row["count_as_interaction"] for row in rows if row["id"] == activity_type.get("id"))
