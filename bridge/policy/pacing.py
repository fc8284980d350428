"""Pacing: how long an entity of an account waits for its next scan.

Made by `app.pacing`, asked by `shard.polling` after every scan. Pure: chance is an input; seconds throughout.

A scan that finds something halves the interval, a quiet one doubles it, back to the usual one; where webhooks tell of
changes anyhow, on to a slower one. What is faster than usual comes out of half of the polls' share of the account's
budget, less what the usual intervals take of it: entities that are busy at once divide it among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.policy.budget import SHARES, WINDOW_SECONDS
from bridge.policy.sightings import Lane

BUSY_PART = 0.25
"""Of the usual interval, for who says nothing else: the fastest."""
PART_OF_POLLS = 0.5
"""Of the polls' share: a scan may take more pages than one, and others want to be read as well."""
JITTER = 0.05
"""An interval is shortened by up to this part, so that nobody keeps step with anybody."""
FIRST_A_SECOND = 50
"""First scans, when many accounts begin at once."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of an entity, from the start of one scan to the start of the next."""

    fastest: float
    every: float
    slowest: float


def intervals(every: float, *, busy: float | None = None, idle: float | None = None) -> Intervals:
    """The usual one, and between which it moves: to a quarter of it and no slower, if nothing else is said."""
    return Intervals(min(every, BUSY_PART * every if busy is None else busy), every, max(every, idle or every))


class Pace:
    """The intervals of one account's entities, as they are in force.

    `told`: webhooks tell what changes, as far as is known.
    """

    def __init__(self, of: Mapping[str, Intervals], per_minute: float) -> None:
        """`per_minute` is the account's budget of calls."""
        self._of = of
        self._now = {entity: each.every for entity, each in of.items()}
        polls = per_minute * SHARES[Lane.POLLS] / 100 / WINDOW_SECONDS
        self._most = polls * PART_OF_POLLS * (1.0 - JITTER)
        """Scans a second, of all entities."""
        self.told = False

    def after(self, entity: str, *, found: bool, crowded: bool) -> float:
        """The interval until the next scan, after one that has `found` something or not.

        `crowded`: other polls of the account wait for its budget, and nobody is to want more of it.
        """
        own, now = self._of[entity], self._now[entity]
        if found and not crowded:
            now = min(own.every, max(own.fastest, self._room(entity), now / 2))
        else:
            now = min(own.slowest if self.told and not found else own.every, now * 2)
        self._now[entity] = now
        return now

    def _room(self, entity: str) -> float:
        """The shortest interval that there is room for: its part of what is spare, if others have not taken that."""
        usual = {name: 1.0 / each.every for name, each in self._of.items()}
        rates = {name: max(usual[name], 1.0 / now) for name, now in self._now.items() if name != entity}
        busy = usual[entity] + sum(usual[name] for name, rate in rates.items() if rate > usual[name])
        part = usual[entity] * (1.0 + (self._most - sum(usual.values())) / busy)
        return 1.0 / max(usual[entity], min(part, self._most - sum(rates.values())))


def jittered(interval: float, chance: float) -> float:
    """What to wait for an interval; `chance` in [0, 1)."""
    return interval * (1.0 - JITTER * chance)


def first(scans: int, every: float, chance: float) -> float:
    """When the first of so many scans that begin together is due: a second's worth at once, more of them spread.

    Over an interval at most: it holds each of them once, so more room than that would only make them late.
    """
    spread = 0.0 if scans <= FIRST_A_SECOND else scans / FIRST_A_SECOND
    return min(jittered(every, 1.0), spread) * chance
