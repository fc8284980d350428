"""The entities in Copper's words: what sets one apart from another at Copper, as a table.

Read by `calls` and `notifications`, and by `bridge.app` for what other sides must be told. Knows no call and no HTTP.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of record. `name` is the bridge's word and Copper's word in webhooks; `path` is Copper's plural."""

    name: str
    path: str
    searchable: bool = True
    """Whether it is scanned; an activity's stamp is no change cursor (reference: copper-api.md §7.1)."""
    modified_filter: bool = True
    """Whether a search may be bounded by date_modified; people and companies may not (reference: §6.1)."""
    email_filter: Callable[[str], Any] | None = None
    """The search filter `emails` for one address: text for leads, a list for people (reference: §1.11)."""
    unique: str | None = None
    """The field whose values Copper keeps unique: creating a twin fails (reference: §8.1, §8.2)."""
    text_dates: frozenset[str] = frozenset()
    """Dates that are text, answered as M/D/YYYY; every other date is Unix seconds (reference: §4)."""


def _text(email: str) -> str:
    return email


def _list(email: str) -> list[str]:
    return [email]


_TABLE = (
    Entity("company", "companies", modified_filter=False, unique="email_domain"),
    Entity("person", "people", modified_filter=False, email_filter=_list, unique="emails"),
    Entity("lead", "leads", email_filter=_text),
    Entity("opportunity", "opportunities", text_dates=frozenset({"close_date"})),
    Entity("task", "tasks"),
    Entity("project", "projects"),
    Entity("activity", "activities", searchable=False),
)

ENTITIES: Mapping[str, Entity] = {entity.name: entity for entity in _TABLE}
SCANNED: tuple[str, ...] = tuple(entity.name for entity in _TABLE if entity.searchable)
"""The entities that have events: the six that are searched and that have webhooks."""
