"""The table of Copper's routes: method and path template to the function that answers.

Asked by `server` for every call. Every function runs in one step of the event loop: a call is atomic.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.copper import activities, custom_fields, search, shaping, special, tags, writing
from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.answers import Answer, Refusal, envelope, no_route, not_found, ok
from bridge.sandbox.copper.entities import PLURALS, Entity, Record
from bridge.sandbox.copper.filters import as_number


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as its route sees it."""

    account: Account
    params: Mapping[str, str]
    body: Mapping[str, Any]
    query: Mapping[str, str]

    @property
    def entity(self) -> Entity:
        """The entity of the path."""
        return PLURALS[self.params["plural"]]

    @property
    def id(self) -> int:
        """The id of the path."""
        return int(self.params["id"])

    @property
    def ref(self) -> tuple[str, int]:
        """Entity and id of the path.

        Raises:
            Refusal: 404 for a record that the user may not see.
        """
        named = (self.entity.name, self.id)
        if named in self.account.store.hidden:
            raise not_found()
        return named

    @property
    def computed(self) -> bool:
        """Whether option names are wanted instead of ids."""
        return self.query.get("custom_field_computed_values") == "true"

    def record(self, record: Record) -> Answer:
        """A record as the answer."""
        return ok(shaping.computed(record, self.account.reference) if self.computed else record)


Handler = Callable[[Asked], Answer]


def _deleted(asked: Asked) -> Answer:
    writing.delete(asked.account.store, *asked.ref)
    return ok({"id": asked.id, "is_deleted": True})


def _activity_deleted(asked: Asked) -> Answer:
    activities.delete(asked.account.store, asked.id)
    return ok({"id": asked.id, "is_deleted": True})


def _search(asked: Asked) -> Answer:
    return search.search(asked.account.store, asked.entity, asked.body, computed_values=asked.computed)


def _bulk(verb: str) -> Handler:
    def answer(asked: Asked) -> Answer:
        if verb not in asked.entity.bulk:
            raise no_route()
        return ok(special.bulk(asked.account.store, asked.entity, verb, asked.body))

    return answer


def _users(asked: Asked) -> Answer:
    size, page = (
        int(as_number(asked.body.get("page_size", 20)) or 20),
        int(as_number(asked.body.get("page_number", 1)) or 1),
    )
    rows = asked.account.reference.users
    return ok(rows[(page - 1) * size : page * size], X_PW_TOTAL=str(len(rows)))


def _user(asked: Asked) -> Answer:
    found = [row for row in asked.account.reference.users if row["id"] == asked.id]
    if not found:
        raise not_found()
    return ok(found[0])


def _stages_of(asked: Asked) -> Answer:
    return ok([row for row in asked.account.reference.stages() if row["pipeline_id"] == asked.id])


LISTS = ("pipelines", "lead_statuses", "customer_sources", "loss_reasons", "contact_types", "activity_types")
"""Reference data that is listed as it stands."""


def _list(name: str) -> Handler:
    return lambda asked: ok(getattr(asked.account.reference, name))


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "account", lambda a: ok(a.account.reference.account())),
    ("GET", "users/me", lambda a: ok(a.account.reference.users[0])),
    ("POST", "users/search", _users),
    ("GET", "users/{id}", _user),
    *(("GET", name, _list(name)) for name in LISTS),
    ("GET", "pipeline_stages", lambda a: ok(a.account.reference.stages())),
    ("GET", "pipeline_stages/pipeline/{id}", _stages_of),
    ("GET", "tags", lambda a: ok(tags.count(a.account.store, a.query))),
    ("GET", "custom_field_definitions", lambda a: ok([*a.account.reference.custom_fields.values()])),
    ("POST", "custom_field_definitions", lambda a: ok(custom_fields.create(a.account.reference, a.body))),
    ("GET", "custom_field_definitions/{id}", lambda a: ok(custom_fields.read(a.account.reference, a.id))),
    ("PUT", "custom_field_definitions/{id}", lambda a: ok(custom_fields.update(a.account.reference, a.id, a.body))),
    ("DELETE", "custom_field_definitions/{id}", lambda a: ok(custom_fields.delete(a.account.reference, a.id))),
    ("GET", "webhooks", lambda a: ok(a.account.subscriptions.list())),
    ("POST", "webhooks", lambda a: ok(a.account.subscriptions.create(a.body, now=a.account.store.clock()))),
    ("GET", "webhooks/{id}", lambda a: ok(a.account.subscriptions.get(a.id))),
    ("PUT", "webhooks/{id}", lambda a: ok(a.account.subscriptions.update(a.id, a.body))),
    ("DELETE", "webhooks/{id}", lambda a: ok(a.account.subscriptions.delete(a.id))),
    ("POST", "activities", lambda a: ok(activities.create(a.account.store, a.body))),
    ("POST", "activities/search", lambda a: activities.search(a.account.store, a.body)),
    ("GET", "activities/{id}", lambda a: ok(activities.read(a.account.store, a.id))),
    ("PUT", "activities/{id}", lambda a: ok(activities.update(a.account.store, a.id, a.body))),
    ("DELETE", "activities/{id}", _activity_deleted),
    ("POST", "people/fetch_by_email", lambda a: a.record(special.person_by_email(a.account.store, a.body))),
    ("PUT", "leads/upsert", lambda a: a.record(special.upsert_lead(a.account.store, a.body))),
    ("POST", "leads/{id}/convert", lambda a: ok(special.convert_lead(a.account.store, a.id, a.body))),
    ("POST", "{plural}/search", _search),
    ("POST", "{plural}/bulk_create", _bulk("bulk_create")),
    ("POST", "{plural}/bulk_update", _bulk("bulk_update")),
    ("POST", "{plural}", lambda a: a.record(writing.create(a.account.store, a.entity.name, a.body))),
    ("GET", "{plural}/{id}", lambda a: a.record(writing.existing(a.account.store, *a.ref))),
    ("PUT", "{plural}/{id}", lambda a: a.record(writing.update(a.account.store, *a.ref, a.body))),
    ("DELETE", "{plural}/{id}", _deleted),
    ("POST", "{plural}/{id}/activities", lambda a: activities.search(a.account.store, a.body, under=a.ref)),
    ("GET", "{plural}/{id}/related", lambda a: ok(special.related(a.account.store, a.ref))),
    ("GET", "{plural}/{id}/related/{other}", lambda a: ok(special.related(a.account.store, a.ref, a.params["other"]))),
    ("POST", "{plural}/{id}/related", lambda a: ok(special.relate(a.account.store, a.ref, a.body))),
    ("DELETE", "{plural}/{id}/related", lambda a: ok(special.unrelate(a.account.store, a.ref, a.body))),
)


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table that fits a call. `template` names the entity but not the id: `/people/{id}`."""

    template: str
    handler: Handler
    params: Mapping[str, str]

    @property
    def bulk(self) -> bool:
        """Whether Copper's own limit of bulk calls applies."""
        return "/bulk_" in self.template


def find(method: str, path: str) -> Route | None:
    """The route of a path below `/developer_api/v1`; None when Copper has none."""
    parts = path.strip("/").split("/")
    for own_method, template, handler in ROUTES:
        words = template.split("/")
        if own_method != method or len(words) != len(parts):
            continue
        params = _params(words, parts)
        if params is not None:
            return Route("/" + template.replace("{plural}", params.get("plural", "")), handler, params)
    return None


def answer(route: Route | None, account: Account, body: bytes, query: Mapping[str, str]) -> Answer:
    """Carry out a call."""
    try:
        if route is None:
            raise no_route()
        writing.settle(account.store)
        if route.params.get("plural") == "leads" or route.template.startswith("/leads"):
            _leads_on(account)
        return route.handler(Asked(account, route.params, special.parsed(body), query))
    except Refusal as refusal:
        return refusal.answer


def _leads_on(account: Account) -> None:
    if not account.config.leads_enabled:
        raise Refusal(envelope(403, "Feature not enabled"))


def _params(words: list[str], parts: list[str]) -> dict[str, str] | None:
    params = {}
    for word, part in zip(words, parts, strict=True):
        if not word.startswith("{"):
            if word != part:
                return None
            continue
        if (word == "{plural}" and part not in PLURALS) or (word == "{id}" and not part.isdecimal()):
            return None
        params[word.strip("{}")] = part
    return params
