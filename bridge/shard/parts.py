"""What a shard session is made of: its flows, and all that it needs of the world around it.

Filled in by `bridge.app`, used by `shard.opening` and `shard.session`. Values and Protocols, nothing that acts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.policy.sessions import Ending
from bridge.shard.memory import Memory
from bridge.shard.ports import Changelog, Intake, Ledger, Membership, Sink


class Flow(Protocol):
    """One direction of work in an owned shard, which may be cancelled at any moment: it goes on from its cursor."""

    async def run(self) -> None:
        """Work for ever."""
        ...


class Inlet(Protocol):
    """A flow that works on delivered records and has to finish what it has begun."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, finish what was begun, return."""
        ...

    def sinks(self) -> dict[str, Sink]:
        """Where the records of each of its topics go."""
        ...

    def positions(self) -> dict[str, int]:
        """Where to begin in each of its topics, out of the memory."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """What runs in a session."""

    plain: Sequence[Flow]
    inlets: Sequence[Inlet]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the changelog topics keep what compaction would remove, in seconds."""

    journal: float
    tombstones: float

    @property
    def memory(self) -> float:
        """A memory older than this may have missed tombstones that have been removed since: it is rebuilt."""
        return self.tombstones / 2


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of, joined by `bridge.app`."""

    shard: int
    memory: Memory
    ledger: Callable[[Callable[[], Awaitable[bool]]], Ledger]
    """Makes a new ledger; the argument is asked after a renewal whether nobody else has written."""
    changelog: Changelog
    intake: Intake
    input_ends: Callable[[], Awaitable[Mapping[str, int]]]
    """Where the shard's input topics end."""
    membership: Membership
    flows: Callable[[Ledger, float], Flows]
    """Makes the flows for a new ledger and the moment of the fence (loop time)."""
    retention: Retention
    clock: Callable[[], float]
    opened: Callable[[int], None]
    ended: Callable[[int, Ending, str], None]
    moved: Callable[[str], None] = lambda _doing: None
    """Told what the session does, whenever it gets on."""
