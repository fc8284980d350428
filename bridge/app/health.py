"""Health: the facts for the probes, gathered as the parts tell them.

One per process, there before anything else is: the internal port answers while Kafka is still waited for. Decides
nothing; `bridge.policy.health` does.
"""

from collections.abc import Callable, Collection
from typing import Protocol

from bridge.policy import health
from bridge.policy.health import Facts, Move, Verdict


class Membership(Protocol):
    """What the group has told; `bridge.kafka.membership` has it."""

    owned: frozenset[int]
    joined: bool


class Health:
    """What moves, when Kafka answered, what is owned. `clock` gives seconds of any steady clock."""

    def __init__(self, clock: Callable[[], float], patience: float = health.PATIENCE_SECONDS) -> None:
        self._clock = clock
        self._patience = patience
        self._moves: dict[str, Move] = {}
        self._answered_at: float | None = None
        self._silent_until = float("-inf")
        self._membership: Membership | None = None
        self._opened: Collection[int] = ()

    def serve(self, membership: Membership, opened: Collection[int]) -> None:
        """Where to see what is owned and which shards are open."""
        self._membership, self._opened = membership, opened

    def moved(self, part: str, doing: str) -> None:
        """A part moves: this is what it does now."""
        self._moves[part] = Move(doing, self._clock())

    def gone(self, part: str) -> None:
        """A part is no more."""
        self._moves.pop(part, None)

    @property
    def reached(self) -> bool:
        """Whether Kafka has answered lately."""
        return self._answered_at is not None and self._clock() - self._answered_at <= health.SILENT_SECONDS

    def asked(self, *, answered: bool) -> None:
        """Kafka was asked something."""
        if answered:
            self._answered_at = self._clock()
        else:
            self._silent_until = self._clock()

    def alive(self) -> Verdict:
        """For the liveness and the start-up probe."""
        return health.alive(self._facts())

    def ready(self) -> Verdict:
        """For the readiness probe."""
        return health.ready(self._facts())

    def _facts(self) -> Facts:
        served = self._membership
        return Facts(
            now=self._clock(),
            moves=self._moves,
            answered_at=self._answered_at,
            silent_until=self._silent_until,
            joined=served is not None and served.joined,
            owned=() if served is None else served.owned,
            opened=self._opened,
            patience=self._patience,
        )
