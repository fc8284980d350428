"""Status: what `/api/status` shows of a running bridge, for an operator and for pages. Pure; called by `app.running`.

Counts, times and reasons; no CRM data, no secrets. Times are Unix seconds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from bridge.contract.sharding import shard_of
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Lane
from bridge.policy.sweeps import Held
from bridge.shard.snapshotting import Taken


class Spending(Protocol):
    """An account, as one who counts its calls sees it."""

    def used(self) -> Mapping[Lane, int]:
        """Calls of the last minute by lane."""
        ...

    def waiting(self) -> Mapping[Lane, int]:
        """How many wait in each lane."""
        ...


class Observed(Protocol):
    """What has been noticed of accounts and, where both name it, their entities; `app.observing` has it."""

    scanned_at: dict[tuple[str, str], float]
    troubles: dict[tuple[str, str], str]
    snapshots: dict[tuple[str, str], Taken]
    held: dict[str, Held]
    paused: dict[str, Paused]


def status(
    *,
    ready: bool,
    owned: Collection[int],
    opened: Collection[int],
    partitions: int,
    accounts: Mapping[str, Spending],
    entities: Sequence[str],
    limit: int,
    observing: Observed,
) -> dict[str, Any]:
    """The whole. Of an account whose shard is another process's only that is told: it is the other's to know.

    `entities` are those that are followed, `limit` the calls a minute that each account is granted.
    """
    shown: dict[str, Any] = {}
    for name in sorted(accounts):
        shard = shard_of(name, partitions)
        shown[name] = {"shard": shard, "here": shard in owned}
        if shard in owned:
            shown[name] |= _account(name, accounts[name], entities, limit, observing)
    return {"ready": ready, "shards": {"owned": sorted(owned), "open": sorted(opened)}, "accounts": shown}


def _account(name: str, account: Spending, entities: Sequence[str], limit: int, observing: Observed) -> dict[str, Any]:
    held, paused = observing.held.get(name), observing.paused.get(name)
    return {
        "entities": {entity: _entity((name, entity), observing) for entity in entities},
        "paused": None if paused is None else asdict(paused),
        "deletes_held": None if held is None else asdict(held),
        "calls": {"limit": limit, "last_minute": _by_lane(account.used()), "waiting": _by_lane(account.waiting())},
    }


def _by_lane(counts: Mapping[Lane, int]) -> dict[str, int]:
    return {lane.value: count for lane, count in counts.items()}


def _entity(which: tuple[str, str], observing: Observed) -> dict[str, Any]:
    taken = observing.snapshots.get(which)
    return {
        "scanned_at": observing.scanned_at.get(which),
        "trouble": observing.troubles.get(which),
        "snapshot": None if taken is None else _snapshot(taken),
    }


def _snapshot(taken: Taken) -> dict[str, Any]:
    return {name: value for name, value in asdict(taken).items() if name not in {"account", "entity"}}
