"""The calls the bridge makes at Copper: a table of routes, and pure builders from questions and commands to calls.

Used by `client`, which carries calls out, and by `subscriptions`. Knows paths and bodies; no host, no credentials, no
I/O. A path is made of a route of the table and one integer; nothing else of a message can get into it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.contract.commands import Command
from bridge.copper.entities import ENTITIES, Entity
from bridge.copper.readings import (
    Reading,
    having_email,
    is_id,
    one_or_many,
    parts,
    record,
    records,
    sighting,
    sightings,
)
from bridge.policy.sightings import Ask, Stamp

MAX_IDS = 200
"""Ids that one search takes: the largest page, so that no answer is cut (reference: copper-api.md §3)."""

UPSERT = "/leads/upsert"
"""The route whose refusals may name records."""

_BOUND = {Stamp.MODIFIED: "modified_date", Stamp.CREATED: "created_date"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `route` is the path with `{id}` in place of a number, fit for a metric's label."""

    method: str
    route: str
    reading: Reading = field(repr=False)
    id: int | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    """The JSON object to send; kept out of the repr, for it holds CRM data."""

    def __post_init__(self) -> None:
        if ("{id}" in self.route) != (self.id is not None) or (self.id is not None and not is_id(self.id)):
            raise ValueError(f"{self.method} {self.route} does not go with the id {self.id!r}")

    @property
    def kind(self) -> str:
        """What it is about, in Copper's words; calls of different kinds take turns."""
        return self.route.split("/")[1]

    @property
    def path(self) -> str:
        """The path below the base URL."""
        return self.route if self.id is None else self.route.replace("{id}", f"{self.id:d}")


def get(entity: str, record_id: int) -> Call:
    """The record as it is now; by id Copper shows writes at once (reference: copper-api.md §7.3)."""
    return Call("GET", f"/{ENTITIES[entity].path}/{{id}}", sighting, record_id)


def create(entity: str, data: Mapping[str, Any]) -> Call:
    """A new record. Not idempotent: Copper knows no idempotency key (reference: copper-api.md §5)."""
    return Call("POST", f"/{ENTITIES[entity].path}", record, body=data)


def update(entity: str, record_id: int, data: Mapping[str, Any]) -> Call:
    """Change the fields that are present; null clears (reference: copper-api.md §4)."""
    return Call("PUT", f"/{ENTITIES[entity].path}/{{id}}", record, record_id, data)


def delete(entity: str, record_id: int) -> Call:
    """Delete for good: there is no restore."""
    return Call("DELETE", f"/{ENTITIES[entity].path}/{{id}}", record, record_id)


def search(entity: str, filters: Mapping[str, Any]) -> Call:
    """Whatever filters a caller gives, in Copper's words."""
    return Call("POST", f"/{ENTITIES[entity].path}/search", records, body=filters)


def search_page(entity: str, ask: Ask) -> Call:
    """One page of a scan. Raises ValueError for a bound that Copper refuses for this entity."""
    bounded = ask.at_least is not None or ask.at_most is not None
    if ask.stamp is Stamp.MODIFIED and bounded and not ENTITIES[entity].modified_filter:
        raise ValueError(f"Copper cannot bound a search of {ENTITIES[entity].path} by date_modified")
    bounds = {f"minimum_{_BOUND[ask.stamp]}": ask.at_least, f"maximum_{_BOUND[ask.stamp]}": ask.at_most}
    order = {"sort_by": ask.stamp.value, "sort_direction": "desc" if ask.descending else "asc"}
    paging = {"page_number": ask.page, "page_size": ask.size}
    filters = order | paging | {name: stamp for name, stamp in bounds.items() if stamp is not None}
    return Call("POST", f"/{ENTITIES[entity].path}/search", sightings, body=filters)


def by_ids(entity: str, ids: Sequence[int]) -> Call:
    """The records of at most 200 ids, as the search index knows them. Raises ValueError for none or more."""
    if not 0 < len(ids) <= MAX_IDS:
        raise ValueError(f"a search by ids takes 1 to {MAX_IDS} of them, not {len(ids)}")
    filters = {"ids": list(ids), "page_number": 1, "page_size": MAX_IDS}
    return Call("POST", f"/{ENTITIES[entity].path}/search", sightings, body=filters)


def leads_by_ids(ids: Sequence[int]) -> Call:
    """The same for leads, converted ones too: by id they are gone, search can show them (reference: §9.4)."""
    found = by_ids("lead", ids)
    return replace(found, body={**(found.body or {}), "include_converted_leads": True})


def activities(parent: Mapping[str, Any], page: int) -> Call:
    """A page of a record's activities: no order can be asked for, newest come first (reference: copper-api.md §6.1)."""
    filters = {"parent": dict(parent), "page_number": page, "page_size": MAX_IDS}
    return Call("POST", f"/{ENTITIES['activity'].path}/search", sightings, body=filters)


def person_by_email(email: str) -> Call:
    """The one person of an address, or 404: addresses are unique among people (reference: copper-api.md §9.1)."""
    return Call("POST", "/people/fetch_by_email", record, body={"email": email})


def lead_by_email(email: str) -> Call:
    """The leads of an address: a search, for leads have no call of their own for it (reference: copper-api.md §9.2)."""
    found = matching("lead", {"field": "email", "value": email})
    return replace(found, reading=one_or_many(having_email(email)))


def matching(entity: str, match: Mapping[str, Any]) -> Call:
    """The records that an upsert's `match` names, by a search. Raises LookupError for a field that no upsert takes."""
    value = match["value"]
    filters = _MATCHES[match["field"]](ENTITIES[entity], value) | {"page_number": 1, "page_size": MAX_IDS}
    reading = having_email(value, sightings) if match["field"] == "email" else sightings
    return Call("POST", f"/{ENTITIES[entity].path}/search", reading, body=filters)


def upsert_lead(data: Mapping[str, Any], match: Mapping[str, Any]) -> Call:
    """Create the lead or update the one that matches. PUT, whatever Copper's overview tables say (reference: §1.12)."""
    criterion = {"field_name": match["field"], "field_value": match["value"]}
    return Call("PUT", UPSERT, record, body={"properties": dict(data), "match": criterion})


def convert_lead(record_id: int, details: Mapping[str, Any]) -> Call:
    """Turn the lead into a person, a company, an opportunity; then it is gone (reference: copper-api.md §9.4)."""
    body = {"details": dict(details)} if details else {}
    return Call("POST", "/leads/{id}/convert", parts, record_id, body)


def account() -> Call:
    """The account itself; needs no permission on any record, so it tells whether the credentials work."""
    return Call("GET", "/account", record)


def user() -> Call:
    """The user whose credentials these are, with its teams; needs no permission either."""
    return Call("GET", "/users/me", record)


def list_subscriptions() -> Call:
    """Every webhook subscription of the account, with its secrets in clear."""
    return Call("GET", "/webhooks", records)


def create_subscription(subscription: Mapping[str, Any]) -> Call:
    """Subscribe: target, type, event, headers (reference: copper-api.md §10.1)."""
    return Call("POST", "/webhooks", record, body=subscription)


def update_subscription(subscription_id: int, changes: Mapping[str, Any]) -> Call:
    """Change target or headers; type and event stay as they were made."""
    return Call("PUT", "/webhooks/{id}", record, subscription_id, changes)


def delete_subscription(subscription_id: int) -> Call:
    """Unsubscribe."""
    return Call("DELETE", "/webhooks/{id}", record, subscription_id)


def of(command: Command) -> Call:
    """The one call that carries out a command. Raises LookupError for a pair that the contract does not have."""
    return COMMANDS[command.entity, command.action](command)


def _emails(entity: Entity, email: str) -> dict[str, Any]:
    if entity.email_filter is None:
        raise ValueError(f"Copper cannot search {entity.path} by e-mail")
    return {"emails": entity.email_filter(email)}


_MATCHES: Mapping[str, Callable[[Entity, Any], dict[str, Any]]] = {
    "email": _emails,
    "email_domain": lambda _, domain: {"email_domains": domain},
    "name": lambda _, name: {"name": name},
    "custom": lambda _, custom_field: {"custom_fields": [custom_field]},
}
"""Field of an upsert's match, or one that Copper keeps unique -> the search filter that means the same."""


def _id(command: Command) -> int:
    if command.record_id is None:
        raise ValueError(f"{command.entity} {command.action} without a record id")
    return command.record_id


def _email(command: Command) -> str:
    if command.email is None:
        raise ValueError(f"{command.entity} {command.action} without an e-mail address")
    return command.email


_ON_ANY: Mapping[str, Callable[[Command], Call]] = {
    "create": lambda command: create(command.entity, command.data),
    "update": lambda command: update(command.entity, _id(command), command.data),
    "delete": lambda command: delete(command.entity, _id(command)),
    "get": lambda command: get(command.entity, _id(command)),
    "search": lambda command: search(command.entity, command.data),
}

COMMANDS: Mapping[tuple[str, str], Callable[[Command], Call]] = {
    **{
        (entity.name, action): build
        for entity in ENTITIES.values()
        if entity.searchable
        for action, build in _ON_ANY.items()
    },
    ("lead", "get-by-email"): lambda command: lead_by_email(_email(command)),
    ("lead", "upsert"): lambda command: upsert_lead(command.data, command.match or {}),
    ("lead", "convert"): lambda command: convert_lead(_id(command), command.data),
    ("person", "get-by-email"): lambda command: person_by_email(_email(command)),
    ("activity", "create"): _ON_ANY["create"],
}
"""(entity, action) -> its call: every pair of contract.md §4."""
