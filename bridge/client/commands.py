"""Commands from Python: `async with CopperCommands(…) as copper: await copper.company.update(7, name="Acme")`.

For programs that have things done in Copper through a bridge. Knows the contract and a Kafka; joins no consumer group.
"""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, TypedDict, Unpack

from bridge.access import Access
from bridge.client.calling import Caller, calling, id_for
from bridge.client.connecting import KafkaTrouble
from bridge.client.entities import Activities, Leads, Members, People, Records
from bridge.client.outcomes import NoReply, NotUnderstood, succeeded
from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.records import Incoming
from bridge.contract.replies import Reply, read_reply
from bridge.contract.signing import SigningKey
from bridge.contract.topics import TopicNames
from bridge.settings import KafkaSecurity

Lane = Literal["interactive", "bulk"]
Deadline = float | Literal["timeout"] | None


class Manners(TypedDict, total=False):
    """What of a `Manner` can be said; the rest stays as it is."""

    account: str | None
    timeout: float
    deadline: Deadline
    lane: Lane | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How commands are given. Times are in seconds from the moment a command is given."""

    account: str | None = None
    """Needed only when the bridge serves several."""
    timeout: float = 30.0
    """How long to wait for a reply."""
    deadline: Deadline = "timeout"
    """After this the bridge does not begin with the command any more: "timeout" is the same time, None never."""
    lane: Lane | None = None

    def deadline_at(self, now: float) -> float | None:
        """The deadline of a command given now, if it has one."""
        after_s = self.timeout if self.deadline == "timeout" else self.deadline
        return None if after_s is None else now + after_s


class Copper:
    """Everything a bridge can be told to do, for any number of tasks at once."""

    def __init__(self, caller: Caller, manner: Manner) -> None:
        self._caller = caller
        self._manner = manner
        self.company = Records("company", self._do)
        self.person = People("person", self._do)
        self.lead = Leads("lead", self._do)
        self.opportunity = Records("opportunity", self._do)
        self.task = Records("task", self._do)
        self.project = Records("project", self._do)
        self.activity = Activities("activity", self._do)

    def having(self, **manners: Unpack[Manners]) -> "Copper":
        """The same in another manner: `copper.having(lane="bulk", timeout=300)`."""
        return Copper(self._caller, replace(self._manner, **manners))

    async def call(
        self, entity: str, action: str, *, command_id: str | None = None, **members: Unpack[Members]
    ) -> Reply:
        """Have one command carried out; the whole reply, however it ended.

        What changes something gets a command id if it is given none. Raises `NoReply`, `NotUnderstood`, and ValueError
        for an action that there is not, a command that is too large for Kafka or a signed one without a deadline.
        """
        asked, told_id = f"{entity}.{action}", self._id_for(entity, action, command_id)
        try:
            record = await self._said(entity, action, {**members, "command_id": told_id})
        except KafkaTrouble as trouble:
            raise NoReply(asked, told_id, str(trouble)) from trouble
        if record is None:
            raise NoReply(asked, told_id, f"no reply in {self._manner.timeout:g} s; it may have been done, or be yet")
        reply = read_reply(record)
        if reply is None:
            raise NotUnderstood(asked, told_id, "the reply cannot be read; is the bridge of a later version?")
        return reply

    async def _said(self, entity: str, action: str, members: Mapping[str, Any]) -> Incoming | None:
        manner = self._manner
        return await self._caller.ask(
            entity,
            action,
            within_s=manner.timeout,
            account=manner.account,
            deadline=manner.deadline_at(time.time()),
            lane=manner.lane,
            **members,
        )

    async def _do(
        self, entity: str, action: str, *, command_id: str | None = None, **members: Unpack[Members]
    ) -> Reply:
        told_id = self._id_for(entity, action, command_id)
        reply = await self.call(entity, action, command_id=told_id, **members)
        return succeeded(reply, f"{entity}.{action}", told_id)

    def _id_for(self, entity: str, action: str, given: str | None) -> str | None:
        return id_for(_row(entity, action), given, signed=self._caller.signs)


def _row(entity: str, action: str) -> Action:
    row = CATALOGUE.action(entity, action)
    if row is None:
        raise ValueError(f"there is no {entity}.{action}")
    return row


class CopperCommands:
    """Opens the way to a bridge: `async with CopperCommands("kafka:9092", account="acme") as copper: …`.

    `security` is what the Kafka asks for: `KafkaSecurity(security_protocol="SSL", …)`, the settings of a bridge. With a
    key (`signing_key`) every command is signed. Entering raises `KafkaTrouble`; leaving ends calls under way with
    `NoReply`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        prefix: str = "copper",
        security: KafkaSecurity | None = None,
        signing: SigningKey | None = None,
        **manners: Unpack[Manners],
    ) -> None:
        self._kafka = Access(bootstrap_servers, security or KafkaSecurity())
        self._names = TopicNames(prefix)
        self._signing = signing
        self._manner = Manner(**manners)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Copper:
        way = calling(self._kafka, self._names, CATALOGUE.entities, self._signing)
        caller = await self._open.enter_async_context(way)
        return Copper(caller, self._manner)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)
