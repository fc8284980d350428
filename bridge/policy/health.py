"""Health: whether the process moves, and whether it is of use, each with its reasons.

Called by `bridge.app.health`, which knows the facts, and answers Kubernetes' probes with the verdicts. Pure: seconds of
any steady clock are inputs.

Liveness is progress. A process that is killed for the world's faults comes back to the same world with less: so
nothing that waits for Kafka is blamed while Kafka does not answer, and Copper is not asked about at all. What is left
is what only a restart can mend: a part of the process that could move and does not. That the event loop turns needs no
word here: while it does not, nobody answers the probe.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

PATIENCE_SECONDS = 120.0
"""Far above the deadline of any single step, so that only a step without one is found."""
SILENT_SECONDS = 10.0
"""Kafka is out of reach when it has not answered for so long; it is asked every few seconds."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a part of the process was doing when it last moved, and when."""

    doing: str
    at: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at a moment."""

    now: float
    moves: Mapping[str, Move]
    """By part: a shard, or a loop that serves all of them."""
    answered_at: float | None = None
    """When Kafka last answered; None before the first time."""
    silent_until: float = float("-inf")
    """When Kafka was last known not to answer."""
    joined: bool = False
    owned: Collection[int] = ()
    opened: Collection[int] = ()
    patience: float = PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Verdict:
    """Good, or why not. `told` is for people in either case, a line each."""

    good: bool
    told: tuple[str, ...]


def alive(facts: Facts) -> Verdict:
    """Whether everything moves that could."""
    told = []
    for part, move in sorted(facts.moves.items()):
        idle = facts.now - max(move.at, facts.silent_until)
        if idle > facts.patience:
            told.append(f"{part} has not moved for {idle:.0f} s: {move.doing}")
    return Verdict(not told, tuple(told) or ("everything moves",))


def ready(facts: Facts) -> Verdict:
    """Whether the process owns its shards, all of them open, and reaches Kafka."""
    told = [*_unreached(facts)]
    if facts.answered_at is not None and not facts.joined:
        told.append("not yet a member of the group")
    for shard in sorted(set(facts.owned) - set(facts.opened)):
        move = facts.moves.get(part_of(shard))
        told.append(f"shard {shard} is not open: {'not begun' if move is None else move.doing}")
    return Verdict(not told, tuple(told) or (f"works on {len(facts.owned)} shards",))


def _unreached(facts: Facts) -> list[str]:
    if facts.answered_at is None:
        return ["Kafka has not answered yet"]
    silent = facts.now - facts.answered_at
    return [f"Kafka has not answered for {silent:.0f} s"] if silent > SILENT_SECONDS else []


def part_of(shard: int) -> str:
    """The name of a shard among the parts that move."""
    return f"shard {shard}"
