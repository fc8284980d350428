"""Turns: who is next among those that wait for the same thing.

Called by `policy.budget`, `copper.budgeting` and `shard.turns`. Pure: what waits may be anything, and waits elsewhere.

Two ways to take turns: by weight (`Shares`, stride scheduling), for lanes; and one after the other (`Rounds`), for
kinds of records, so that a flood on one topic holds up the other topics by one turn and not by its length.
"""

from collections import deque
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from bridge.policy.sightings import Lane

COMMAND_LANES = MappingProxyType({"interactive": Lane.COMMANDS, "bulk": Lane.BULK})
"""What a command says of itself (contract.md §4) and the lane of the calls that are made for it."""
HALVES = MappingProxyType({Lane.COMMANDS: 9, Lane.BULK: 1})
"""How interactive and bulk commands share what commands get: one turn in ten keeps bulk from starving."""
PATIENT = frozenset({Lane.BULK, Lane.SNAPSHOTS, Lane.SWEEPS})
"""Lanes that nobody waits for, call by call."""

T = TypeVar("T")


class Shares:
    """Turns by weight: among those that wait all the time each gets its share; one that is alone takes all."""

    def __init__(self, weights: Mapping[Lane, int]) -> None:
        self._weights = weights
        self._passes = dict.fromkeys(weights, 0.0)
        self._reached = 0.0

    def choose(self, waiting: Collection[Lane]) -> Lane:
        """Whose turn it is; the heaviest first among equals."""
        return min(waiting, key=lambda lane: (self._start(lane), -self._weights[lane]))

    def take(self, lane: Lane) -> None:
        """Its turn is taken."""
        self._reached = self._start(lane)
        self._passes[lane] = self._reached + 1.0 / self._weights[lane]

    def _start(self, lane: Lane) -> float:
        """Where the lane stands: one that was away comes back without a claim on the past."""
        return max(self._passes[lane], self._reached)


class Rounds(Generic[T]):
    """A queue of many kinds that take turns; within a kind, first come first served."""

    def __init__(self) -> None:
        self._kinds: dict[str, deque[T]] = {}
        """In the order of their next turns."""

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def add(self, kind: str, item: T) -> None:
        """Stand in line."""
        self._kinds.setdefault(kind, deque()).append(item)

    def take(self) -> T:
        """Whose turn it is.

        Raises:
            StopIteration: nobody waits.
        """
        kind = next(iter(self._kinds))
        items = self._kinds.pop(kind)
        item = items.popleft()
        if items:
            self._kinds[kind] = items
        return item

    def leave(self, kind: str, item: T) -> None:
        """Wait no more; nothing happens if its turn was taken already."""
        items = self._kinds.get(kind, deque())
        if item in items:
            items.remove(item)
        if not items:
            self._kinds.pop(kind, None)

    def before(self, kind: str) -> int:
        """How many are certain to be taken before one that would come now, if nobody leaves."""
        own = len(self._kinds.get(kind, ()))
        return sum(min(own, len(items)) for items in self._kinds.values())


class Places(Generic[T]):
    """So many things are done at once, such as commands of one account: who gets the next place.

    Lanes by weight, kinds in turn. Patient lanes never have the last quarter of the places: calls of theirs that Copper
    is slow to answer do not hold up an interactive command.
    """

    def __init__(self, places: int, shares: Mapping[Lane, int] = HALVES) -> None:
        self._free = places
        self._left = places - places // 4
        """What patient lanes may still take while there is a free place."""
        self._shares = Shares(shares)
        self._waiting: dict[Lane, Rounds[T]] = {lane: Rounds() for lane in shares}

    def ask(self, lane: Lane, kind: str, item: T) -> None:
        """Stand in line for a place."""
        self._waiting[lane].add(kind, item)

    def leave(self, lane: Lane, kind: str, item: T) -> None:
        """Want none any more."""
        self._waiting[lane].leave(kind, item)

    def take(self) -> T | None:
        """Who gets a place now, None when no place is free for anybody who waits."""
        able = [lane for lane, rounds in self._waiting.items() if rounds and self._may(lane)]
        if not able:
            return None
        lane = self._shares.choose(able)
        self._shares.take(lane)
        self._count(lane, -1)
        return self._waiting[lane].take()

    def give_back(self, lane: Lane) -> None:
        """A place of that lane is free again."""
        self._count(lane, 1)

    def before(self, lane: Lane, kind: str) -> int:
        """How many of its lane are certain to get a place before one that would come now, if nobody leaves."""
        return self._waiting[lane].before(kind)

    def _may(self, lane: Lane) -> bool:
        return self._free > 0 and (self._left > 0 or lane not in PATIENT)

    def _count(self, lane: Lane, change: int) -> None:
        self._free += change
        self._left += change if lane in PATIENT else 0
