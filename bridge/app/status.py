"""Status: what `/api/status` shows of a running bridge, for an operator and for pages. Pure; called by `app.running`.

Counts, times and reasons; no CRM data, no secrets. Times are Unix seconds.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bridge.contract.accounts import Standing
from bridge.contract.sharding import shard_of
from bridge.policy.freshness import Followed, State, state, worst
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Lane
from bridge.policy.sweeps import Held
from bridge.shard.snapshotting import Taken
from bridge.telemetry.history import History

_BY_STANDING = {Standing.PAUSED: State.PAUSED, Standing.LEAVING: State.LEAVING}
"""An account that nobody waits for stands as an operator wants it."""


@dataclass(frozen=True, slots=True)
class Process:
    """Whose status it is: every process tells of itself alone."""

    instance: str
    host: str
    version: str
    started_at: float
    kafka: str
    """The bootstrap servers."""
    prefix: str
    """Of the topics."""
    replica: str
    """What this process is known by among the replicas."""


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

    history: History
    owned_since: dict[int, float]
    scanned_at: dict[tuple[str, str], float]
    intervals: dict[tuple[str, str], float]
    troubles: dict[tuple[str, str], str]
    snapshots: dict[tuple[str, str], Taken]
    held: dict[str, Held]
    paused: dict[str, Paused]


def status(
    process: Process,
    *,
    now: float,
    ready: bool,
    owned: Collection[int],
    opened: Collection[int],
    owners: Mapping[int, str],
    partitions: int,
    accounts: Mapping[str, Spending],
    standing: Callable[[str], Standing],
    entities: Mapping[str, float | None],
    limit: int,
    observing: Observed,
) -> dict[str, Any]:
    """The whole. Of an account whose shard is another process's only whose is told: the rest is the other's to know.

    `owners` are as the group told them last; what is ours is known better. `entities` are given with the usual seconds
    from one scan to the next, None when switched off; `limit` is the calls a minute that each account is granted.
    """
    shown: dict[str, Any] = {}
    known = {**owners, **dict.fromkeys(owned, process.replica)}
    for name in sorted(accounts):
        shard = shard_of(name, partitions)
        shown[name] = {"shard": shard, "owner": known.get(shard), "here": shard in owned}
        if shard in owned:
            since = observing.owned_since.get(shard, now)
            wanted = _BY_STANDING.get(standing(name))
            shown[name] |= _account(name, accounts[name], wanted, entities, since, now, limit, observing)
    states = [account["state"] for account in shown.values() if account["here"]]
    return {
        **asdict(process),
        "now": now,
        "ready": ready,
        "state": worst([*states, State.ON_TIME if ready else State.PENDING]),
        "shards": {
            "count": partitions,
            "owned": sorted(owned),
            "open": sorted(opened),
            "owners": {str(shard): known[shard] for shard in sorted(known)},
        },
        "accounts": shown,
    }


def _account(
    name: str,
    account: Spending,
    wanted: State | None,
    entities: Mapping[str, float | None],
    since: float,
    now: float,
    limit: int,
    observing: Observed,
) -> dict[str, Any]:
    held, paused = observing.held.get(name), observing.paused.get(name)
    followed = {entity: _followed((name, entity), every, since, observing) for entity, every in entities.items()}
    states = {entity: wanted or state(each, now) for entity, each in followed.items()}
    return {
        "state": worst([*states.values(), *([] if held is None else [State.ACTION_REQUIRED])]),
        "entities": {
            entity: {"state": word, **_entity((name, entity), entities[entity], observing)}
            for entity, word in states.items()
        },
        "paused": None if paused is None else asdict(paused),
        "deletes_held": None if held is None else asdict(held),
        "calls": {"limit": limit, "last_minute": _by_lane(account.used()), "waiting": _by_lane(account.waiting())},
    }


def _followed(which: tuple[str, str], every: float | None, since: float, observing: Observed) -> Followed:
    if every is not None:
        every = max(every, observing.intervals.get(which, every))  # faster than usual is no promise
    held = which[0] in observing.paused
    return Followed(every, since, observing.scanned_at.get(which), observing.troubles.get(which), held=held)


def _by_lane(counts: Mapping[Lane, int]) -> dict[str, int]:
    return {lane.value: count for lane, count in counts.items()}


def _entity(which: tuple[str, str], every: float | None, observing: Observed) -> dict[str, Any]:
    taken, seen = observing.snapshots.get(which), observing.history.events.get(which)
    return {
        "every": None if every is None else observing.intervals.get(which, every),
        "scanned_at": observing.scanned_at.get(which),
        "trouble": observing.troubles.get(which),
        "events": 0 if seen is None else seen.count,
        "event_at": None if seen is None else seen.at,
        "snapshot": None if taken is None else _snapshot(taken),
    }


def _snapshot(taken: Taken) -> dict[str, Any]:
    return {name: value for name, value in asdict(taken).items() if name not in {"account", "entity"}}
