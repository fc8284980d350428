"""Which webhook subscriptions to make, change and remove, so that Copper has those wanted and no others of ours.

Called by `bridge.copper.subscriptions` with what Copper lists. Pure and idempotent: a plan after it was applied is
empty. Subscriptions that are not ours are never touched; ours are those whose target is exactly the bridge's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST = 100
"""Active subscriptions an account may have, everybody's together (Copper's webhook overview)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription to have: one entity, one event of `new`, `update`, `delete`."""

    entity: str
    event: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Copper lists it. `headers` hold secrets and stay out of the repr."""

    id: int
    target: str
    entity: str
    event: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order.

    Update, delete, create. `foreign` counts what is not ours, `refused` what is too much.
    """

    create: tuple[Wanted, ...]
    update: tuple[int, ...]
    delete: tuple[int, ...]
    foreign: int
    refused: tuple[Wanted, ...] = ()


def plan(
    wanted: Sequence[Wanted], existing: Sequence[Subscription], *, target: str, headers: Mapping[str, str]
) -> Plan:
    """Compare. Of several of ours for one entity and event the oldest stays; one with other headers is updated."""
    ours = sorted((each for each in existing if each.target == target), key=lambda each: each.id)
    kept: dict[tuple[str, str], Subscription] = {}
    for each in ours:
        kept.setdefault((each.entity, each.event), each)
    needed = {(each.entity, each.event) for each in wanted}
    stay = {key: each for key, each in kept.items() if key in needed}
    staying = {each.id for each in stay.values()}
    missing = [each for each in wanted if (each.entity, each.event) not in stay]
    room = max(0, MOST - (len(existing) - len(ours)) - len(stay))
    return Plan(
        create=tuple(missing[:room]),
        update=tuple(each.id for each in stay.values() if not _carries(each.headers, headers)),
        delete=tuple(each.id for each in ours if each.id not in staying),
        foreign=len(existing) - len(ours),
        refused=tuple(missing[room:]),
    )


def _carries(there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    found = {name.lower(): value for name, value in there.items()}
    return all(found.get(name.lower()) == value for name, value in wanted.items())
