"""Traffic: people who edit records in Copper, and callers who send commands. Everything random comes from a seed.

People touch what people made; callers touch what commands made, and some of what people made, which is then contested.
A lead that upserts write to is left to upserts alone, one at a time: Copper has no order between an upsert in doubt and
an update by id, nor has the bridge.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from bridge.contract.commands import encode
from bridge.contract.records import Position
from bridge.contract.topics import TopicNames
from bridge.sandbox.copper import Account
from tests.faults.reading import ENTITIES

KEPT = 6
"""Below so many records of an entity nobody deletes one."""
TWICE = 0.12
"""Share of commands that their caller sends a second time, at once or much later."""
SHARES = {"create": 30, "update": 34, "delete": 8, "get": 10, "upsert": 10, "convert": 4, "nonsense": 3, "nowhere": 3}
SINCE = 1_700_000_000
"""When the records were made that were there before the bridge."""


@dataclass
class Sent:
    """A command, with the place of every record that was sent for it. `mark` is in its data and nowhere else."""

    id: str
    account: str
    entity: str
    action: str
    record_id: int | None = None
    mark: str = ""
    match: str | None = None
    at: list[Position] = field(default_factory=list)


class People:
    """Numbered edits over all six entities of one account: each version of a record carries a number of its own."""

    def __init__(self, account: Account, seed: str) -> None:
        self.account = account
        self.random = Random(seed)  # noqa: S311 - chance from a seed
        self.made: dict[str, list[int]] = {entity: [] for entity in ENTITIES}
        self.first: dict[tuple[str, int], dict[str, Any]] = {}
        """Records that were there before the bridge, as they were then."""
        self.done: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def settle_in(self, each: int) -> None:
        """Records that always were there."""
        for entity in ENTITIES:
            rows = [
                {"name": f"old {entity} {n}", "date_created": SINCE, "date_modified": SINCE + n} for n in range(each)
            ]
            self.made[entity] = self.account.load(entity, rows)
            for record_id in self.made[entity]:
                self.first[entity, record_id] = dict(self.account.record(entity, record_id) or {})

    async def work(self, per_second: float, stop: asyncio.Event) -> None:
        """Edit until asked to stop."""
        while not stop.is_set():
            self._edit(self.random.choice(ENTITIES))
            await asyncio.sleep(self.random.expovariate(per_second))

    def _edit(self, entity: str) -> None:
        made, dice, number = self.made[entity], self.random.random(), next(self._numbers)
        mine = [record_id for record_id in made if self.account.record(entity, record_id) is not None]
        self.made[entity] = mine
        if len(mine) > KEPT and dice < 0.08:
            self.account.delete(entity, mine.pop(self.random.randrange(len(mine))))
            self.done["deleted"] += 1
        elif not mine or dice < 0.25:
            made_now = self.account.create(entity, {"name": f"{entity} {number}", "details": f"people {number}"})
            mine.append(made_now["id"])
            self.done["created"] += 1
        else:
            self.account.edit(entity, self.random.choice(mine), {"details": f"people {number}"})
            self.done["edited"] += 1


class Callers:
    """Commands for one account. `answered` is to be told every reply that the account's commands get."""

    def __init__(
        self, account: Account, shard: int, people: People, producer: AIOKafkaProducer, names: TopicNames, seed: str
    ) -> None:
        self.account = account
        self.shard = shard
        self.people = people
        self.sent: dict[str, Sent] = {}
        self._producer = producer
        self._names = names
        self._random = Random(seed)  # noqa: S311 - chance from a seed
        self._numbers = itertools.count(1)
        self._own: dict[str, list[int]] = {entity: [] for entity in ENTITIES}
        self._free_emails = [f"lead-{number}@{account.name}.example" for number in range(5)]
        self._later: list[tuple[Sent, bytes, Any]] = []

    async def work(self, per_second: float, stop: asyncio.Event) -> None:
        """Send commands until asked to stop."""
        while not stop.is_set():
            await asyncio.sleep(self._random.expovariate(per_second))
            if self._later and self._random.random() < TWICE:
                await self._put(*self._later.pop(self._random.randrange(len(self._later))))
            elif (wanted := self._wanted()) is not None:
                await self._send(*wanted)

    def answered(self, reply: dict[str, Any]) -> None:
        """What a command made is a target for later ones, once its caller knows of it."""
        sent = self.sent.get(reply["command"]["id"])
        if sent is None or reply["duplicate"]:
            return
        if sent.match is not None:
            self._free_emails.append(sent.match)
        elif sent.action == "create" and reply["status"] == "succeeded":
            self._own[sent.entity].append(reply["record"]["id"])

    def _wanted(self) -> tuple[Sent, dict[str, Any]] | None:
        """The next command; None when there is nothing to do it to."""
        action = self._random.choices(list(SHARES), weights=list(SHARES.values()))[0]
        entity = "lead" if action in {"upsert", "convert"} else self._random.choice(ENTITIES)
        number = next(self._numbers)
        sent = Sent(f"{self.account.name}:{number}", self.account.name, entity, action, mark=f"command {number}")
        data = {"details": sent.mark}
        match action:
            case "create":
                return sent, {"data": data | {"name": f"{entity} by {sent.mark}"}}
            case "nonsense":
                return sent, {"data": {"no_such_field": sent.mark}}
            case "nowhere":
                sent.record_id = 7
                return sent, {"record_id": 7, "data": data}
            case "upsert" if self._free_emails:
                sent.match = self._free_emails.pop(0)
                lead = data | {"name": f"lead of {sent.match}", "email": {"email": sent.match, "category": "work"}}
                return sent, {"match": {"field": "email", "value": sent.match}, "data": lead}
        return self._on_record(sent, data)

    def _on_record(self, sent: Sent, data: dict[str, Any]) -> tuple[Sent, dict[str, Any]] | None:
        own, others = self._own[sent.entity], self.people.made[sent.entity]
        contested = sent.action in {"update", "get"} and others and self._random.random() < 0.3
        targets = others if contested else own
        if not targets or sent.action == "upsert":
            return None
        sent.record_id = self._random.choice(targets)
        if sent.action in {"delete", "convert"}:
            own.remove(sent.record_id)
        if sent.action == "update":
            return sent, {"record_id": sent.record_id, "data": data}
        if sent.action == "convert":
            return sent, {"record_id": sent.record_id, "data": {"opportunity": {"name": f"order of {sent.mark}"}}}
        return sent, {"record_id": sent.record_id}

    async def _send(self, sent: Sent, members: dict[str, Any]) -> None:
        action = {"nonsense": "create", "nowhere": "update"}.get(sent.action, sent.action)
        value, headers = encode(action, account=self.account.name, command_id=sent.id, **members)
        self.sent[sent.id] = sent
        await self._put(sent, value, headers)
        if self._random.random() < TWICE:
            self._later.append((sent, value, headers))
            if self._random.random() < 0.5:
                await self._put(*self._later.pop())

    async def _put(self, sent: Sent, value: bytes, headers: Any) -> None:
        """Send it with a key that finds the account's shard, or with one that does not."""
        key = self._random.choice([self.account.name, self.account.name, sent.id]).encode()
        topic = self._names.commands(sent.entity)
        at = await self._producer.send_and_wait(topic, value, key=key, headers=list(headers))
        sent.at.append(Position(topic, at.partition, at.offset))


@asynccontextmanager
async def producing(servers: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()
