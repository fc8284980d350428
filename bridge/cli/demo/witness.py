"""What was read back from Kafka: the demo's only source of truth about what the bridge did.

The story waits here for what it caused, and the smoke test is judged by what is missing here. Fed by `staging` with
every committed record. Pure, but for the waiting.
"""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Any

import orjson

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Incoming
from bridge.contract.topics import TopicNames

CORRELATION = "correlation-id"


class Witness:
    """Remembers events and replies of one bridge, and lets others wait for them."""

    def __init__(self, names: TopicNames) -> None:
        self._triggers = {names.event(row.entity, row.kind): (row.entity, row.kind) for row in CATALOGUE.triggers}
        self._changes = {names.changes(entity): entity for entity in CATALOGUE.followed}
        self._replies = {names.replies(entity) for entity in CATALOGUE.entities}
        self._facts: dict[Hashable, asyncio.Future[Any]] = {}
        self._wanted_events = {(row.entity, row.kind) for row in CATALOGUE.triggers if row.listed}
        self._wanted_replies = {(row.entity, row.name) for row in CATALOGUE.actions if row.listed}
        self.snapshot_rows = 0

    def take(self, record: Incoming) -> None:
        """Remember a committed record. Records that say nothing to us are passed over."""
        topic, value = record.position.topic, _parsed(record.value)
        if topic in self._triggers:
            entity, kind = self._triggers[topic]
            self._wanted_events.discard((entity, kind))
            self._fact("event", entity, kind, value.get("source", {}).get("id")).set_result(value)
        elif topic in self._changes and value.get("op") == "r":
            self.snapshot_rows += 1
            self._fact("snapshot", self._changes[topic]).set_result(None)
        elif topic in self._replies:
            command = value.get("command", {})
            if value.get("status") == "succeeded":
                self._wanted_replies.discard((command.get("entity"), command.get("action")))
            self._fact("reply", record.header(CORRELATION)).set_result(value)
        if not self._wanted_events and not self._wanted_replies:
            self._fact("everything").set_result(None)

    async def event(self, entity: str, kind: str, record_id: int) -> None:
        """Wait for the first event of that kind about that record."""
        await self._once("event", entity, kind, record_id)

    async def snapshots(self) -> None:
        """Wait until a row of every entity's snapshot has come: the bridge follows them all."""
        for entity in CATALOGUE.followed:
            await self._once("snapshot", entity)

    async def reply(self, correlation: bytes) -> Mapping[str, Any]:
        """Wait for the reply to the command of that correlation id; its value."""
        value: Mapping[str, Any] = await self._once("reply", correlation)
        return value

    async def everything(self) -> None:
        """Wait until nothing is missing."""
        await self._once("everything")

    def missing(self) -> list[str]:
        """Listed triggers without an event and listed actions without a reply of success, in the catalogue's order."""
        events = [row for row in CATALOGUE.triggers if (row.entity, row.kind) in self._wanted_events]
        replies = [row for row in CATALOGUE.actions if (row.entity, row.name) in self._wanted_replies]
        return [
            *(f"event {row.entity}.{row.kind}" for row in events),
            *(f"reply {row.entity}.{row.name}" for row in replies),
        ]

    def tally(self) -> str:
        """How much of what must be seen was seen, in words."""
        triggers = sum(row.listed for row in CATALOGUE.triggers)
        actions = sum(row.listed for row in CATALOGUE.actions)
        events, replies = triggers - len(self._wanted_events), actions - len(self._wanted_replies)
        words = {12: "twelve", 20: "twenty"}
        of = [f"{words.get(a, a)} of {words.get(b, b)}" for a, b in ((events, triggers), (replies, actions))]
        return f"{of[0]} triggers, {of[1]} actions seen"

    async def _once(self, *fact: Hashable) -> Any:
        return await asyncio.shield(self._facts.setdefault(fact, _future()))

    def _fact(self, *fact: Hashable) -> "asyncio.Future[Any]":
        """The future of a fact that is to be set now; one to throw away when it was set before."""
        future = self._facts.setdefault(fact, _future())
        return _future() if future.done() else future


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


def _parsed(value: bytes | None) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
