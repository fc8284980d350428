"""What an owned shard needs of the world, as Protocols.

`bridge.copper` and `bridge.kafka` satisfy them, `bridge.app` joins them; nothing here or in `bridge.shard` knows HTTP or
a Kafka client.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from bridge.contract.commands import Command
from bridge.contract.records import Outgoing
from bridge.policy.sightings import Ask, Lane, Page, Record, Trouble

T = TypeVar("T")


class Copper(Protocol):
    """One Copper account. Every method makes at most one call per row of its description and never raises for an answer.

    Failures are `Trouble` values; only programming errors and cancellation are exceptions. Calls wait for the
    account's budget in their lane.
    """

    async def search(self, entity: str, ask: Ask, lane: Lane) -> Page | Trouble:
        """One page of a scan."""
        ...

    async def by_ids(self, entity: str, ids: Sequence[int], lane: Lane) -> Page | Trouble:
        """The records of at most 200 ids as the (lagging) search index knows them."""
        ...

    async def get(self, entity: str, record_id: int, lane: Lane) -> Record | Trouble:
        """The record as Copper has it now; `NOT_FOUND` when it is gone."""
        ...

    async def execute(self, command: Command, *, deadline: float | None) -> Any | Trouble:
        """Carry out a command in one call and give Copper's decoded answer.

        `deadline` is Unix seconds by the bridge's clock, checked after the budget was granted and right before the
        request is written; later than that nothing is sent and the answer is `EXPIRED`.
        """
        ...


class Draft(Protocol):
    """A transaction in the making: what is known, with all that was drafted before, and where to add records."""

    def add(self, record: Outgoing) -> None:
        """Put a record into the transaction; records on changelog topics change what is known at once."""
        ...


class Ledger(Protocol):
    """The shard's one way to write."""

    async def commit(self, write: Callable[[Draft], T]) -> T:
        """Run `write` while a transaction is assembled, commit it with whatever else waits, give back its result.

        `write` runs alone and against the latest state, so a decision made in it cannot be outdated by another flow.
        Returns only when the commit is known. Raises `SessionEnded` when this session can write no more.
        """
        ...
