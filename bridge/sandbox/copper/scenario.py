"""People at work: seeded creates, edits, deletes and merges over all six entities, as in Copper's web page.

Run by `double.people` for the demo and for tests that want life in an account. The sequence depends on the seed alone.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.entities import ENTITIES

FIRST = ("Mara", "Ivo", "Lena", "Kofi", "Ana", "Tomas", "Yuki", "Omar", "Freja", "Nils", "Priya", "Hugo")
LAST = ("Oduya", "Brand", "Silva", "Novak", "Tanaka", "Larsen", "Mehta", "Rossi", "Keller", "Moreau", "Hansen", "Boyle")
FIRMS = ("Tideglass", "Northwind", "Bluefield", "Oakline", "Copperleaf", "Stonebridge", "Fernway", "Harborlight")
DEALS = ("pilot", "renewal", "rollout", "upgrade", "extension")
CHORES = ("Call", "Send offer to", "Prepare demo for", "Follow up with", "Thank")
DELETED, MERGED, EDITED = 0.15, 0.18, 0.7
"""Cumulated shares of deletes, merges and edits among all changes; the rest are creates."""
KEPT = 8
"""Below so many records of an entity nobody deletes one."""


async def people_at_work(account: Account, random: Random, *, every: float) -> None:
    """One change every `every` seconds, until cancelled."""
    for change in changes(account, random):
        change()
        await asyncio.sleep(every)


def changes(account: Account, random: Random) -> Iterator[Callable[[], object]]:
    """An endless sequence of changes: every entity in turn is created first, then edited and deleted at random."""
    number = 0
    while True:
        for entity in ENTITIES:
            number += 1
            ids = [record["id"] for record in account.records(entity)]
            yield _change(account, entity, ids, number, random)


def _change(account: Account, entity: str, ids: list[int], number: int, random: Random) -> Callable[[], object]:
    dice = random.random()
    if len(ids) > KEPT and dice < DELETED:
        return lambda: account.delete(entity, random.choice(ids))
    if len(ids) > KEPT and dice < MERGED:
        winner, loser = random.sample(ids, 2)
        return lambda: account.merge(entity, winner, loser)
    if ids and dice < EDITED:
        return lambda: account.edit(entity, random.choice(ids), edits(entity, number, random))
    return lambda: account.create(entity, fresh(entity, number, account, random))


def fresh(entity: str, number: int, account: Account, random: Random) -> dict[str, Any]:
    """What someone types into a new record; unique e-mails and domains by the running number."""
    name, firm = f"{random.choice(FIRST)} {random.choice(LAST)}", random.choice(FIRMS)
    email = {"email": f"{name.split(maxsplit=1)[0].lower()}.{number}@{firm.lower()}.example", "category": "work"}
    companies = [record["id"] for record in account.records("company")] or [None]
    typed: dict[str, Callable[[], Mapping[str, Any]]] = {
        "person": lambda: {"name": name, "emails": [email], "title": "Buyer", "company_id": random.choice(companies)},
        "company": lambda: {"name": f"{firm} {number}", "email_domain": f"{firm.lower()}-{number}.example"},
        "lead": lambda: {
            "name": name,
            "email": email,
            "company_name": firm,
            "monetary_value": random.randrange(500, 9000),
        },
        "opportunity": lambda: {"name": f"{firm} {random.choice(DEALS)}", "company_id": random.choice(companies)},
        "task": lambda: {"name": f"{random.choice(CHORES)} {name}", "due_date": int(account.store.clock()) + 86_400},
        "project": lambda: {"name": f"{firm} {random.choice(DEALS)} {number}"},
    }
    return {field: value for field, value in typed[entity]().items() if value is not None}


def edits(entity: str, number: int, random: Random) -> dict[str, Any]:
    """One field, as the web page saves each by itself."""
    common: list[dict[str, Any]] = [
        {"details": f"Note {number}"},
        {"tags": random.sample(["vip", "2027", "partner"], 2)},
    ]
    special: dict[str, list[dict[str, Any]]] = {
        "person": [{"title": random.choice(("Buyer", "Director", "Engineer"))}],
        "company": [{"phone_numbers": [{"number": f"+49 30 {number:06}", "category": "work"}]}],
        "lead": [{"status": random.choice(("New", "Contacted", "Qualified"))}, {"monetary_value": 100 * number}],
        "opportunity": [{"monetary_value": 1000 + number}, {"status": random.choice(("Open", "Won", "Abandoned"))}],
        "task": [{"status": random.choice(("Open", "Completed"))}, {"priority": "High"}],
        "project": [{"status": random.choice(("Open", "Completed"))}],
    }
    return random.choice(common + special[entity])
