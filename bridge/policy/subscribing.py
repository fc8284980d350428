"""Which webhook subscriptions to make, change and remove, so that Copper has those wanted and no others of ours.

Called by `bridge.copper.subscriptions` with what Copper lists. Pure and idempotent: a plan after it was applied is
empty. Subscriptions that are not ours are never touched; ours are those whose target is exactly the bridge's own, and
those that we remember to have made: somebody may have pointed one elsewhere, or our own address may have changed.
"""

from collections.abc import Collection, Mapping, Sequence
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
    vanished: int = 0
    """Of those we made, so many were not there."""
    moved: int = 0
    """So many pointed elsewhere."""
    keep: tuple[int, ...] = ()
    """Ours that stay, as they are or updated."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What was done, and the ids of all that are ours now."""

    plan: Plan
    ids: tuple[int, ...]


def plan(
    wanted: Sequence[Wanted],
    existing: Sequence[Subscription],
    *,
    target: str | None,
    headers: Mapping[str, str],
    made: Collection[int] = (),
) -> Plan:
    """Compare. `made` are the ids of those we made; without a `target` nothing can be wanted, and they are removed.

    Of several of ours for one entity and event the oldest stays; one with other headers or another target is updated.
    """
    ours = sorted((each for each in existing if _is_ours(each, target, made)), key=lambda each: each.id)
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
        update=tuple(each.id for each in stay.values() if each.target != target or not _carries(each.headers, headers)),
        delete=tuple(each.id for each in ours if each.id not in staying),
        foreign=len(existing) - len(ours),
        refused=tuple(missing[room:]),
        vanished=len({*made} - {each.id for each in existing}),
        keep=tuple(sorted(staying)),
        moved=0 if target is None else sum(each.target != target for each in ours),
    )


def _is_ours(each: Subscription, target: str | None, made: Collection[int]) -> bool:
    return (target is not None and each.target == target) or each.id in made


def _carries(there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    found = {name.lower(): value for name, value in there.items()}
    return all(found.get(name.lower()) == value for name, value in wanted.items())
