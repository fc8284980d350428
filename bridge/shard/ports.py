"""What an owned shard needs of the world, as Protocols.

`bridge.copper` and `bridge.kafka` satisfy them, `bridge.app` joins them; nothing here or in `bridge.shard` knows HTTP
or a Kafka client.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from bridge.contract.commands import Command
from bridge.contract.records import Incoming, Outgoing
from bridge.policy.matching import Named
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Ask, Lane, Page, Record, Trouble
from bridge.shard.room import Place

T = TypeVar("T")
Sink = Callable[[Sequence[Incoming]], None]


class Copper(Protocol):
    """One Copper account. Failures are `Trouble` values; only programming errors and cancellation are exceptions.

    Every method makes one call, unless it says more, and except for `execute` waits for the account's budget in its
    lane first. While the account is paused, its credentials being refused, that takes until they work again.
    """

    async def search(self, entity: str, ask: Ask, lane: Lane, place: Place | None = None) -> Page | Trouble:
        """One page of a scan; when the budget has granted the call, `place` is taken for it."""
        ...

    async def get(self, entity: str, record_id: int, lane: Lane) -> Record | Trouble:
        """The record as Copper has it now; `NOT_FOUND` when it is gone."""
        ...

    async def by_ids(self, entity: str, ids: Sequence[int], lane: Lane) -> Page | Trouble:
        """The records of at most 200 ids as the (lagging) search index knows them; no converted leads."""
        ...

    async def leads(self, ids: Sequence[int], lane: Lane) -> Sequence[Record] | Trouble:
        """The leads of at most 200 ids as the (lagging) search index knows them, converted ones too."""
        ...

    async def viewer(self, lane: Lane) -> str | Trouble:
        """Who asks, as a digest of user, teams and the account's permission switch. Two calls."""
        ...

    async def find(self, entity: str, match: Mapping[str, Any], lane: Lane) -> Sequence[Record] | Trouble:
        """Records that an upsert's match names, as the (lagging) search index knows them."""
        ...

    async def activities(self, parent: Mapping[str, Any], page: int, lane: Lane) -> Page | Trouble:
        """A page of at most 200 of the activities of a record (`type`, `id`), newest first."""
        ...

    def now(self) -> float:
        """Unix seconds by Copper's clock, to a second or two, as its latest answer told; ours before the first."""
        ...

    async def reference(self, name: str, lane: Lane) -> Sequence[Named] | Trouble:
        """All rows of a list of the catalogue's `names`; a call for each page of users."""
        ...

    def soonest(self, ahead: int) -> float:
        """Seconds in which the budget cannot grant a call that so many others come before, whatever happens."""
        ...

    async def admit(self, lane: Lane, entity: str, *, deadline: float | None) -> bool:
        """Wait until the budget grants one call, which the caller makes by `execute`.

        False when the deadline passed, or is certain to pass first.
        """
        ...

    async def execute(self, command: Command, *, deadline: float | None) -> Any | Trouble:
        """Carry out an admitted command in one call and give Copper's decoded answer.

        `deadline` is Unix seconds by the bridge's clock, checked right before the request is written; later than that
        nothing is sent and the answer is `EXPIRED`. `PAUSED`: nothing was done, and it is to be admitted once more.
        """
        ...


class Gate(Protocol):
    """The gate of one Copper account, closed while its credentials are refused."""

    def attended(self, paused: Paused | None) -> AbstractContextManager[None]:
        """As long as the block takes somebody ends the account's pauses; `paused` is one that was begun earlier."""
        ...

    async def refused(self) -> Paused:
        """Wait until the account is paused."""
        ...

    async def restored(self) -> None:
        """Wait until it is not, trying the newest credentials now and then."""
        ...

    def open(self) -> None:
        """Whatever has closed it, let calls go out."""
        ...


class Draft(Protocol):
    """A transaction in the making. Records on changelog topics change what `Memory.drafted` shows at once."""

    def add(self, record: Outgoing) -> None:
        """Put a record into the transaction.

        Raises:
            RecordTooLarge: no broker would take it.
        """
        ...


class Ledger(Protocol):
    """The shard's one way to write."""

    async def open(self) -> None:
        """Fence every predecessor."""
        ...

    async def run(self) -> None:
        """Commit what waits, until the session ends."""
        ...

    async def close(self) -> None:
        """Let go of the producer."""
        ...

    async def drained(self) -> None:
        """Wait until nothing waits to be written."""
        ...

    async def commit(self, write: Callable[[Any], T], *, within: float = 0.0) -> T:
        """Run `write` with the `Draft` while a transaction is assembled, commit it with whatever else waits.

        Who is in no hurry says `within` how many seconds a transaction is to begin, and shares it with who comes by.

        `write` runs alone and against the latest state, so a decision made in it cannot be outdated by another flow; it
        must not wait for anything. Gives back its result, only when the commit is known.

        Raises:
            SessionEnded: this session can write no more.
        """
        ...


class Changelog(Protocol):
    """The shard's partition of the topics that make up its memory."""

    async def bounds(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """First and end offset of each topic; refuses while a transaction is open."""
        ...

    async def replay(
        self,
        since: Mapping[str, int],
        until: Mapping[str, int],
        learn: Callable[[Sequence[Incoming], Mapping[str, int]], None],
    ) -> int:
        """Hand over the committed records between two offsets; gives their number."""
        ...


class Intake(Protocol):
    """Where commands and notifications come from."""

    def open(self, shard: int, progress: Callable[[], Mapping[str, int]], sinks: Mapping[str, Sink]) -> None:
        """Begin to deliver, each topic from where `progress` says; it is asked again for display."""
        ...

    def close(self, shard: int) -> None:
        """Deliver no more."""
        ...

    def hold(self, topic: str, shard: int) -> None:
        """Backpressure on."""
        ...

    def release(self, topic: str, shard: int) -> None:
        """Backpressure off."""
        ...


class Membership(Protocol):
    """Who owns what."""

    async def holds(self, shard: int) -> bool:
        """Whether the shard is assigned to this process, once no rebalance is under way."""
        ...


class Tracing(Protocol):
    """Spans. What is done within one is a part of it, whoever does it, as long as it is the same task."""

    def processing(self, record: Incoming) -> AbstractContextManager[None]:
        """The span of a command, while the block lasts."""
        ...

    def note(self, what: str, **attributes: str | float) -> None:
        """An event on the span."""
        ...

    def parent(self) -> str | None:
        """W3C's `traceparent` for what is written now; None without tracing."""
        ...


class Replies(Protocol):
    """What is known about topics that callers name."""

    async def partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; None when it does not exist."""
        ...
