"""Creates, updates, deletes and merges: judged, shaped, made true.

Called by the routes for API callers and by `account` for people; `by` says who. Everything here happens at once, in
one step of the event loop, so that no caller sees half of it.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.sandbox.copper import links, shaping, validation
from bridge.sandbox.copper.answers import Problem, invalid, not_found
from bridge.sandbox.copper.entities import ENTITIES, Entity, Record
from bridge.sandbox.copper.store import Store, unique_values

UNIQUE_FIELD = {"person": "email", "company": "email_domain"}


def existing(store: Store, entity: str, record_id: int) -> Record:
    """The record as it is now. A converted lead is gone.

    Raises:
        Refusal: 404.
    """
    record = store.truth[entity].get(record_id)
    if record is None or record.get("converted_at") is not None:
        raise not_found()
    return record


def create(store: Store, entity: str, body: Mapping[str, Any], *, by: str = "api") -> Record:
    """A new record.

    Raises:
        Refusal: 422 with every problem.
    """
    kind = ENTITIES[entity]
    _judge(store, kind, body, own_id=None)
    now = int(store.clock())
    blank = shaping.fresh(kind, store.next_id(entity), store.reference, now)
    record = _named_company(store, entity, shaping.applied(kind, blank, body, store.reference, now))
    store.put("create", entity, record, body=body, by=by)
    links.relink(store, entity, None, record)
    if store.knobs.enrichment is not None:
        due = store.clock() + store.random.uniform(*store.knobs.enrichment)
        heapq.heappush(store.enrichments, (due, (entity, record["id"])))
    return record


def update(store: Store, entity: str, record_id: int, body: Mapping[str, Any], *, by: str = "api") -> Record:
    """Change what the body names; `{}` changes nothing.

    Raises:
        Refusal: 404, or 422 with every problem.
    """
    before = existing(store, entity, record_id)
    kind = ENTITIES[entity]
    _judge(store, kind, body, own_id=record_id)
    if not body:
        return before
    # Copper re-links a person through related items only: its company in a PUT is taken and ignored.
    heard = {name: value for name, value in body.items() if (entity, name) != ("person", "company_id")}
    now = int(store.clock())
    after = shaping.applied(kind, before, heard, store.reference, now) | {"date_modified": now}
    after = _named_company(store, entity, after)
    store.put("update", entity, after, body=body, by=by)
    links.relink(store, entity, before, after)
    for other in links.named(entity, after) if entity == "task" else ():
        links.touch(store, other)
    return after


def delete(store: Store, entity: str, record_id: int, *, by: str = "api") -> None:
    """Remove a record for good.

    Raises:
        Refusal: 404.
    """
    existing(store, entity, record_id)
    store.remove(entity, record_id, by=by)
    links.forget(store, (entity, record_id))


def merge(store: Store, entity: str, winner_id: int, loser_ids: Sequence[int], *, by: str = "people") -> Record:
    """What people do in Copper's web page: the winner takes what it lacks from the losers, and those are deleted."""
    winner = dict(existing(store, entity, winner_id))
    losers = [existing(store, entity, loser_id) for loser_id in loser_ids]
    for loser_id in loser_ids:
        delete(store, entity, loser_id, by=by)
    for loser in losers:
        winner |= {name: value for name, value in loser.items() if winner.get(name) in (None, [], "")}
        for name in ("tags", "emails", "phone_numbers"):
            if name in winner:
                winner[name] = winner[name] + [item for item in loser[name] if item not in winner[name]]
    winner["date_modified"] = int(store.clock())
    return store.put("update", entity, winner, body={"merged": list(loser_ids)}, by=by)


def settle(store: Store) -> None:
    """Let Copper's own late additions happen that are due: a company gets its website, any record a new stamp."""
    while store.enrichments and store.enrichments[0][0] <= store.clock():
        due, (entity, record_id) = heapq.heappop(store.enrichments)
        record = store.truth[entity].get(record_id)
        if record is None or record.get("converted_at") is not None:
            continue
        stamp = {"date_modified": max(int(due), record["date_modified"])}
        domain = record.get("email_domain")
        if domain and not record["websites"]:
            site = {"websites": [{"url": f"http://{domain}", "category": "work"}]}
            store.put("update", entity, record | site | stamp, body=site, by="copper")
        elif record | stamp != record:
            store.put("touch", entity, record | stamp, body={}, by="copper")


def _judge(store: Store, kind: Entity, body: Mapping[str, Any], *, own_id: int | None) -> None:
    found = validation.problems(kind, body, store.reference.custom_fields, creating=own_id is None)
    statuses = {row["name"] for row in store.reference.lead_statuses} | {None}
    if kind.name == "lead" and body.get("status") not in statuses:
        found.append(Problem("status", "is not included in the list"))
    if not found:
        holders = {store.taken(kind.name, value) for value in unique_values(kind.name, body)}
        if holders - {None, own_id}:
            found.append(Problem(UNIQUE_FIELD[kind.name], "has already been taken"))
    if found:
        raise invalid(*found)


def _named_company(store: Store, entity: str, record: Record) -> Record:
    """A person or opportunity with the name of its company; an opportunity takes its contact's company."""
    if entity not in {"person", "opportunity"}:
        return record
    company_id = record["company_id"]
    contact = store.truth["person"].get(record.get("primary_contact_id") or 0)
    if company_id is None and contact is not None:
        company_id = contact["company_id"]
    company = store.truth["company"].get(company_id or 0)
    return record | {"company_id": company_id} | ({"company_name": company["name"]} if company else {})
