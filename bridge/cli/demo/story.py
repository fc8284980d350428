"""What happens in the demo: people work in the Copper double, a program sends commands, and some things go wrong.

Every step waits for a fact read back from Kafka, so the story takes the time that the machine and the budget of calls
give it: about 30 seconds. Called by `staging`. Everybody in it is made up.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from bridge.cli.demo.program import Program
from bridge.cli.demo.screen import Screen
from bridge.cli.demo.witness import Witness
from bridge.contract.catalogue import CATALOGUE
from bridge.sandbox.copper import Account, CopperDouble, Fault
from bridge.sandbox.copper.scenario import fresh

BEFORE = 2
"""Records of every entity that are there before the bridge begins."""
GENTLE_SECONDS = 5.0
"""Between two things that happen once the story is told."""
_DAY_S = 86_400
_LOOK_S = 0.1
_PAUSE_S = 1.0

_LIVES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "company": ({"name": "Fernway Mills"}, {"details": "Asked for a visit in May"}),
    "person": (
        {"name": "Priya Mehta", "emails": [{"email": "priya@fernway.example", "category": "work"}]},
        {"title": "Head of purchasing"},
    ),
    "lead": (
        {"name": "Omar Keller", "email": {"email": "omar@oakline.example", "category": "work"}},
        {"status": "Contacted"},
    ),
    "opportunity": ({"name": "Fernway renewal"}, {"monetary_value": 12_000}),
    "task": ({"name": "Send offer to Priya"}, {"priority": "High"}),
    "project": ({"name": "Fernway roll-out"}, {"status": "Completed"}),
}
"""What somebody types for a new record of each entity, and then changes."""


_MARA: dict[str, Any] = {
    "name": "Mara Oduya",
    "emails": [{"email": "mara@tideglass.example", "category": "work"}],
}
_IVO: dict[str, Any] = {"name": "Ivo Brand", "email": {"email": "ivo@brand.example", "category": "work"}}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what the story is played with."""

    copper: CopperDouble
    account: Account
    program: Program
    witness: Witness
    screen: Screen


def furnish(account: Account, seed: int) -> None:
    """Put in records that were there long before the bridge."""
    random, now = Random(seed), int(account.store.clock())  # noqa: S311 - made-up names, no secrets
    for entity in CATALOGUE.followed:
        rows = [fresh(entity, 9000 + number, account, random) for number in range(BEFORE)]
        created = {"date_created": now - 9 * _DAY_S, "date_modified": now - 2 * _DAY_S}
        account.load(entity, [row | created for row in rows])


async def story(cast: Cast) -> None:
    """Everything that must be seen, and what goes wrong on the way; returns when all of it was read back.

    Raises `StoryBroken`.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(_commands(cast))
        for number, entity in enumerate(_LIVES):
            group.create_task(_life(cast, entity, after=float(number)))
        group.create_task(_notified_twice(cast))
    await cast.witness.everything()


async def afterwards(cast: Cast) -> None:
    """A gentle everyday, for ever. Replies may be what they may: people delete at random, and so may the user."""
    ask = cast.program.ask
    cast.copper.people(cast.account.name, every=GENTLE_SECONDS)
    while True:
        made = await ask("task", "create", data={"name": "Water the plants"})
        await asyncio.sleep(GENTLE_SECONDS)
        task = (made.get("record") or {}).get("id")
        if task is not None:
            await ask("task", "update", record_id=task, data={"status": "Completed"})
            await asyncio.sleep(GENTLE_SECONDS)
            await ask("task", "delete", record_id=task)
        await asyncio.sleep(GENTLE_SECONDS)
        await ask("company", "search", data={"page_size": 5})
        await asyncio.sleep(GENTLE_SECONDS)


async def _life(cast: Cast, entity: str, *, after: float) -> None:
    """Somebody creates, edits and deletes a record, each once the change before is published: so none are merged."""
    await asyncio.sleep(after)
    made, edited = _LIVES[entity]
    record_id = cast.account.create(entity, made)["id"]
    await cast.witness.event(entity, "created", record_id)
    cast.account.edit(entity, record_id, edited)
    await cast.witness.event(entity, "updated", record_id)
    await _subscribed(cast)  # nobody would tell of the delete
    cast.account.delete(entity, record_id)
    await cast.witness.event(entity, "deleted", record_id)


async def _subscribed(cast: Cast) -> None:
    """Wait until Copper is asked to notify of everything."""
    while len(cast.account.subscriptions.rows) < 3 * len(CATALOGUE.followed):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_LOOK_S)


async def _notified_twice(cast: Cast) -> None:
    """One webhook is delivered twice; there is one event."""
    await _subscribed(cast)
    record_id = cast.account.records("company")[0]["id"]
    first = len(cast.account.webhooks.deliveries)
    cast.account.edit("company", record_id, {"details": "Pays within a week"})
    await cast.witness.event("company", "updated", record_id)
    await cast.copper.notified()
    deliveries = cast.account.webhooks.deliveries
    number = next(n for n, row in enumerate(deliveries) if n >= first and record_id in row.ids)
    cast.account.webhooks.repeat(number)
    cast.screen.happened("copper", f"the webhook of company {record_id}'s update comes a second time (injected)")


async def _commands(cast: Cast) -> None:
    """The program works: all listed actions, a server error, bad input, a repetition, and a rate limit.

    It begins slowly, for the subscriptions are paid from the same budget of calls. The rate limit comes last because
    the bridge slows down after it.
    """
    do = cast.program.do
    made = await _made(cast)
    await _subscribed(cast)
    cast.screen.happened("copper", f"will notify of everything: {len(cast.account.subscriptions.rows)} webhooks")
    async with asyncio.TaskGroup() as group:
        group.create_task(_fails_on_the_way_back(cast, made["opportunity"]))
        await do("company", "update", record_id=made["company"], data={"details": "Glass from tidal furnaces"})
        await do("person", "update", record_id=made["person"], data={"title": "Buyer"})
        await do("task", "update", record_id=made["task"], data={"status": "Completed"})
        await _refused_and_repeated(cast)
        await do("person", "get", record_id=made["person"])
        await do("person", "get-by-email", email=_MARA["emails"][0]["email"])
        await do("lead", "get", record_id=made["lead"])
        await do("lead", "get-by-email", email=_IVO["email"]["email"])
        match = {"field": "email", "value": _IVO["email"]["email"]}
        await do("lead", "upsert", match=match, data=_IVO | {"title": "Founder"})
    for entity in ("task", "opportunity", "person", "company"):
        await do(entity, "delete", record_id=made[entity])
    await _limited(cast, made["lead"])
    await do("lead", "delete", record_id=made["lead"])


async def _made(cast: Cast) -> dict[str, int]:
    """A record of every entity that has commands on the list, each connected to the one before where it can be."""
    made: dict[str, int] = {}

    async def make(entity: str, data: Mapping[str, Any]) -> None:
        made[entity] = (await cast.program.do(entity, "create", data=data))["id"]
        await asyncio.sleep(_PAUSE_S)

    await make("company", {"name": "Tideglass Ltd", "email_domain": "tideglass.example"})
    await make("person", _MARA)
    await make("lead", _IVO)
    await make("opportunity", {"name": "Tideglass pilot", "primary_contact_id": made["person"]})
    related = {"id": made["opportunity"], "type": "opportunity"}
    await make("task", {"name": "Call Mara", "related_resource": related})
    return made


async def _fails_on_the_way_back(cast: Cast, opportunity: int) -> None:
    """Copper carries a command out and answers 502: the bridge waits, looks, and knows."""
    fault = Fault("status", when="after", status=502, body="html", method="PUT", path=f"/opportunities/{opportunity}")
    cast.copper.fault(fault)
    remark = "carried out in spite of the 502: the bridge looked before it answered"
    await asyncio.gather(
        _told(cast, fault, f"502 to the update of opportunity {opportunity}, which it has carried out"),
        cast.program.do("opportunity", "update", record_id=opportunity, data={"status": "Won"}, remark=remark),
    )


async def _limited(cast: Cast, lead: int) -> None:
    """Copper answers 429 once."""
    fault = Fault("status", status=429, method="PUT", path=f"/leads/{lead}")
    cast.copper.fault(fault)
    await asyncio.gather(
        _told(cast, fault, f"429 to the update of lead {lead}"),
        cast.program.do(
            "lead", "update", record_id=lead, data={"monetary_value": 3000}, remark="attempt 2, after the 429"
        ),
    )


async def _told(cast: Cast, fault: Fault, what: str) -> None:
    while not fault.hits:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_LOOK_S)
    cast.screen.happened("copper", f"answers {what} (injected)")


async def _refused_and_repeated(cast: Cast) -> None:
    """A command that can never be carried out, and one that is sent twice under one idempotency key."""
    await cast.program.ask("company", "create", data={"nmae": "Northwind"}, remark="refused before Copper was called")
    order: dict[str, Any] = {"action": "create", "data": {"name": "Bluefield AG"}, "command_id": "order-4711"}
    await cast.program.do("company", **order)
    await cast.program.do("company", **order, remark="the same idempotency key: carried out once")
