"""Calls beyond the plain ones: bulk, person by e-mail, lead upsert, lead convert, related items.

Called by `routes`; each function carries out one call and gives its body.
"""

import operator
from collections.abc import Mapping
from typing import Any

import orjson

from bridge.sandbox.copper import links, writing
from bridge.sandbox.copper.answers import Problem, Refusal, invalid, not_found, refused, short
from bridge.sandbox.copper.entities import ENTITIES, PLURALS, Entity, Record
from bridge.sandbox.copper.store import Ref, Store
from bridge.sandbox.copper.validation import is_id

BULK_LIMIT = 10
NAMED_MATCHES = 30
"""An upsert that matches more leads than this does not say which."""
TAKEN_OVER = ("address", "details", "tags", "title", "websites", "phone_numbers", "socials", "assignee_id")
"""What a converted lead hands on to its person as it is."""


def bulk(store: Store, entity: Entity, verb: str, body: Mapping[str, Any]) -> list[Any]:
    """Carry out each item by itself; a bad one is a failure object in its place."""
    items = body.get(entity.plural)
    if not isinstance(items, list):
        raise invalid(Problem(entity.plural, "can't be blank"))
    if len(items) > BULK_LIMIT:
        raise Refusal(short(422, f"Request size too large, limit is {BULK_LIMIT}"))
    return [_bulk_item(store, entity, verb, item) for item in items]


def _bulk_item(store: Store, entity: Entity, verb: str, item: Any) -> Any:
    if not isinstance(item, dict):
        return {"success": False, "message": {"base": [{"error": "invalid"}]}}
    record_id = item.get("id")
    try:
        if verb == "bulk_create":
            return writing.create(store, entity.name, item)
        changes = {name: value for name, value in item.items() if name != "id"}
        return writing.update(store, entity.name, record_id if is_id(record_id) else 0, changes)
    except Refusal as refusal:
        problems = refusal.problems or (Problem("id", "not_found"),)
        reasons: dict[str, list[dict[str, str]]] = {}
        for problem in problems:
            reasons.setdefault(problem.field, []).append(
                {"error": "invalid" if problem.field != "id" else problem.reason}
            )
        failed: dict[str, Any] = {"success": False, "message": reasons}
        return failed | ({"id": record_id} if verb == "bulk_update" else {})


def person_by_email(store: Store, body: Mapping[str, Any]) -> Record:
    """The person with that address, found at once: no index is asked."""
    if not body.get("email"):
        raise invalid(Problem("email", "can't be blank"))
    found = store.taken("person", str(body["email"]))
    if found is None:
        raise not_found()
    return writing.existing(store, "person", found)


def upsert_lead(store: Store, body: Mapping[str, Any]) -> Record:
    """Create or update the lead that matches; several matches are refused with their ids."""
    match, properties = body.get("match"), body.get("properties")
    if not isinstance(match, dict) or match.get("field_name") not in {"email", "name", "custom"}:
        raise invalid(Problem("match", "is invalid"))
    if not isinstance(properties, dict):
        raise invalid(Problem("properties", "can't be blank"))
    known = store.visible("lead").shown if store.knobs.upsert_reads_index else store.truth["lead"]
    ids = [lead["id"] for lead in known.values() if _matches(lead, match) and not lead["converted_at"]]
    if len(ids) > 1:
        which = f": {', '.join(map(str, sorted(ids)))}" if len(ids) <= NAMED_MATCHES else ""
        raise invalid(Problem("base", f"Multiple leads match the given criteria{which}"))
    return writing.update(store, "lead", ids[0], properties) if ids else writing.create(store, "lead", properties)


def _matches(lead: Record, match: Mapping[str, Any]) -> bool:
    value = match.get("field_value")
    if match["field_name"] == "custom":
        wanted = value if isinstance(value, dict) else {}
        return any(entry == wanted for entry in lead["custom_fields"]) and wanted.get("value") is not None
    held = lead["name"] if match["field_name"] == "name" else (lead["email"] or {}).get("email")
    return held is not None and held.lower() == str(value).lower()


def convert_lead(store: Store, lead_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a person, a company and an opportunity of a lead; afterwards the lead reads as gone."""
    lead = writing.existing(store, "lead", lead_id)
    details = body.get("details") or {}
    if details.get("opportunity") and not details["opportunity"].get("name"):
        raise invalid(Problem("name", "can't be blank"))
    company = _converted_company(store, lead, details.get("company") or {})
    person = _converted_person(store, lead, details.get("person") or {}, company)
    opportunity = None
    if asked := details.get("opportunity"):
        known = {"primary_contact_id": person["id"], "monetary_value": lead["monetary_value"]}
        opportunity = writing.create(store, "opportunity", {k: v for k, v in (known | asked).items() if v is not None})
    now = int(store.clock())
    gone = {"converted_at": now, "converted_contact_id": person["id"], "date_modified": now}
    gone["converted_opportunity_id"] = opportunity["id"] if opportunity else None
    store.put("update", "lead", lead | gone, body=body, by="api")
    return {"person": person, "company": company, "opportunity": opportunity}


def _converted_company(store: Store, lead: Record, asked: Mapping[str, Any]) -> Record | None:
    if "id" in asked:
        return writing.existing(store, "company", asked["id"])
    name = asked.get("name", lead["company_name"])
    if not name:
        return None
    exact = asked.get("exact_match", False)
    for company in store.truth["company"].values():
        if company["name"] == name or (not exact and company["name"].lower().strip() == name.lower().strip()):
            return company
    return writing.create(store, "company", {"name": name})


def _converted_person(store: Store, lead: Record, asked: Mapping[str, Any], company: Record | None) -> Record:
    email = lead["email"]
    holder = store.taken("person", email["email"]) if email else None
    if holder is not None:
        return writing.existing(store, "person", holder)
    body = {name: lead[name] for name in TAKEN_OVER if lead[name]} | {"name": lead["name"]} | dict(asked)
    body |= {"emails": [email]} if email else {}
    return writing.create(store, "person", body | ({"company_id": company["id"]} if company else {}))


def related(store: Store, ref: Ref, plural: str | None = None) -> list[dict[str, Any]]:
    """What a record is related to, in order of ids."""
    writing.existing(store, *ref)
    if plural is not None and plural not in PLURALS:
        raise not_found()
    wanted = {PLURALS[plural].name} if plural else set(ENTITIES)
    found = sorted(store.links.get(ref, ()), key=operator.itemgetter(1))
    return [{"id": record_id, "type": entity} for entity, record_id in found if entity in wanted]


def relate(store: Store, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
    """Relate two records; a person has one company, a task one related record."""
    other = _other(store, ref, body)
    for side, new in ((ref, other), (other, ref)):
        single = side[0] == "task" or (side[0], new[0]) == ("person", "company")
        if single and links.named(side[0], store.truth[side[0]][side[1]]) - {new}:
            raise refused("Invalid request: Resource is related to another already")
    links.link(store, ref, other)
    links.touch(store, ref, **_naming(store, ref, other))
    links.touch(store, other, **_naming(store, other, ref))
    return {"added": True, "resource": body["resource"]}


def unrelate(store: Store, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
    """Undo a relation."""
    other = _other(store, ref, body)
    if other not in store.links.get(ref, ()):
        raise refused("Invalid request: Resources are not related")
    links.unlink(store, ref, other)
    for side, gone in ((ref, other), (other, ref)):
        record = store.truth[side[0]][side[1]]
        links.touch(store, side, **links.unnamed(side[0], record, gone))
    return {"removed": True, "resource": body["resource"]}


def _other(store: Store, ref: Ref, body: Mapping[str, Any]) -> Ref:
    writing.existing(store, *ref)
    resource = body.get("resource")
    if not isinstance(resource, dict) or resource.get("type") not in ENTITIES[ref[0]].relates_to:
        raise invalid(Problem("resource", "is invalid"))
    writing.existing(store, resource["type"], resource.get("id", 0))
    return resource["type"], resource["id"]


def _naming(store: Store, ref: Ref, other: Ref) -> dict[str, Any]:
    """The fields of a record that show its new relation."""
    if ref[0] == "person" and other[0] == "company":
        return {"company_id": other[1], "company_name": store.truth["company"][other[1]]["name"]}
    if ref[0] == "task" or (ref[0] == "project" and other[0] != "task"):
        return {"related_resource": {"id": other[1], "type": other[0]}}
    return {}


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body; an empty body is an empty object."""
    try:
        value = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise refused("Bad Request", 400) from None
    if not isinstance(value, dict):
        raise refused("Bad Request", 400)
    return value
