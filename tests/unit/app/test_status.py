"""What `/api/status` shows."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from bridge.app.observing import Observing
from bridge.app.status import Process, status
from bridge.contract.accounts import Standing
from bridge.contract.events import Change, Kind
from bridge.contract.sharding import shard_of
from bridge.policy.budget import Budget
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Lane, Trouble, Via, Why
from bridge.policy.sweeps import Held, Reason
from bridge.shard.polling import Polled, Scanned
from bridge.shard.snapshotting import Taken

PARTITIONS = 4
PROCESS = Process("copper-bridge", "bridge-0", "0.1.0", 1_790_000_000.0, "localhost:9092", "copper", "bridge-0")
LEAD, TASK = (
    Polled("acme", entity, filtered=True, every=15, deep_every=300, overlap=120, backfill=False)
    for entity in ("lead", "task")
)


class Account:
    """One that has made one call and waits for two."""

    def used(self) -> dict[Lane, int]:
        budget = Budget(60, 0.0)
        budget.take(100.0, Lane.SWEEPS)
        return budget.used(110.0)

    def waiting(self) -> dict[Lane, int]:
        return dict.fromkeys(Lane, 0) | {Lane.POLLS: 2}


def shown(
    observing: Observing,
    *,
    owned: frozenset[int] = frozenset(range(PARTITIONS)),
    owners: Mapping[int, str] | None = None,
    ready: bool = True,
    after: float = 0.0,
    standing: Standing = Standing.CONNECTED,
) -> Any:
    account = Account()
    whole = status(
        PROCESS,
        now=time.time() + after,
        ready=ready,
        owned=owned,
        opened={2, 1},
        owners=owners or {},
        partitions=PARTITIONS,
        accounts={"zeta": account, "acme": account},
        standing=lambda _account: standing,
        entities={"lead": 15.0, "task": 15.0, "project": None},
        limit=60,
        observing=observing,
    )
    return orjson.loads(orjson.dumps(whole))


def test_every_account_shows_its_scans_its_calls_and_that_nothing_is_held(observing: Observing) -> None:
    observing.polled(LEAD, Scanned())
    whole = shown(observing)
    ours = {str(shard): "bridge-0" for shard in range(PARTITIONS)}
    assert whole["ready"]
    assert whole["shards"] == {"count": 4, "owned": [0, 1, 2, 3], "open": [1, 2], "owners": ours}
    assert list(whole["accounts"]) == ["acme", "zeta"]
    acme = whole["accounts"]["acme"]
    silent = {"scanned_at": None, "trouble": None, "events": 0, "event_at": None, "snapshot": None}
    scanned = {"scanned_at": observing.scanned_at["acme", "lead"]}
    assert acme == {
        "shard": shard_of("acme", PARTITIONS),
        "owner": "bridge-0",
        "here": True,
        "state": "pending",
        "entities": {
            "lead": {**silent, **scanned, "state": "on-time", "every": 15.0},
            "task": {**silent, "state": "pending", "every": 15.0},
            "project": {**silent, "state": "paused", "every": None},
        },
        "paused": None,
        "deletes_held": None,
        "calls": {
            "limit": 60,
            "last_minute": {"commands": 0, "bulk": 0, "polls": 0, "checks": 0, "snapshots": 0, "sweeps": 1},
            "waiting": {"commands": 0, "bulk": 0, "polls": 2, "checks": 0, "snapshots": 0, "sweeps": 0},
        },
    }


def test_an_entity_is_due_by_the_interval_in_force_but_not_sooner_than_usual(observing: Observing) -> None:
    observing.owning(range(PARTITIONS))
    observing.polled(LEAD, Scanned(every=4.0))
    observing.polled(TASK, Scanned(every=60.0))
    for after, words in ((29.0, ("on-time", "on-time")), (31.0, ("delayed", "on-time")), (121.0, ("error", "delayed"))):
        lead, task = (shown(observing, after=after)["accounts"]["acme"]["entities"][each] for each in ("lead", "task"))
        assert (lead["every"], task["every"]) == (4.0, 60.0)
        assert (lead["state"], task["state"]) == words


def test_trouble_is_shown_until_a_scan_ends_well_beside_when_one_last_did(observing: Observing) -> None:
    observing.polled(LEAD, Scanned())
    observing.polled(LEAD, Scanned(Trouble(Why.NOT_SENT, "canary")))
    observing.polled(LEAD, Scanned(Trouble(Why.RATE_LIMITED, "canary")))
    observing.snapshot_failed(TASK, Trouble(Why.UNAUTHORIZED, "canary"))
    entities = shown(observing)["accounts"]["acme"]["entities"]
    assert (entities["lead"]["trouble"], entities["task"]["trouble"]) == ("rate-limited", "unauthorized")
    assert entities["lead"]["scanned_at"] is not None
    assert "canary" not in str(shown(observing))
    observing.polled(LEAD, Scanned())
    assert shown(observing)["accounts"]["acme"]["entities"]["lead"]["trouble"] is None


def test_a_snapshot_shows_how_far_it_has_come(observing: Observing) -> None:
    observing.snapshot(Taken("acme", "lead", 400, 1200, 2, 7, done=False))
    assert shown(observing)["accounts"]["acme"]["entities"]["lead"]["snapshot"] == {
        "records": 400,
        "expected": 1200,
        "calls": 2,
        "seconds_left": 7,
        "done": False,
        "incomplete": False,
    }


def test_a_paused_account_is_shown_with_the_reason_until_it_goes_on(observing: Observing) -> None:
    observing.pausing("acme", Paused(Why.UNAUTHORIZED, 1_790_000_000.0))
    accounts = shown(observing)["accounts"]
    assert accounts["acme"]["paused"] == {"reason": "unauthorized", "since": 1_790_000_000.0}
    assert accounts["zeta"]["paused"] is None
    observing.pausing("acme", None)
    assert shown(observing)["accounts"]["acme"]["paused"] is None


def test_an_account_that_nobody_waits_for_stands_as_its_operator_wants_it(observing: Observing) -> None:
    observing.owning(range(PARTITIONS))
    observing.polled(LEAD, Scanned(Trouble(Why.UNAUTHORIZED, "canary")))
    for standing, word in (
        (Standing.CONNECTED, "action-required"),
        (Standing.PAUSED, "paused"),
        (Standing.LEAVING, "leaving"),
    ):
        acme = shown(observing, standing=standing, after=1000.0)["accounts"]["acme"]
        assert (acme["state"], acme["entities"]["lead"]["state"]) == (word, word)


def test_held_deletes_are_shown_with_the_reason_until_they_are_resumed(observing: Observing) -> None:
    observing.holding("acme", Held(Reason.TOO_MANY, 60, 100, 1_790_000_000.0))
    accounts = shown(observing)["accounts"]
    assert accounts["acme"]["deletes_held"] == {
        "reason": "too-many",
        "missing": 60,
        "known": 100,
        "since": 1_790_000_000.0,
    }
    assert accounts["zeta"]["deletes_held"] is None
    observing.holding("acme", None)
    assert shown(observing)["accounts"]["acme"]["deletes_held"] is None


def test_of_an_account_that_another_process_serves_only_its_shard_and_whose_is_told(observing: Observing) -> None:
    shard = shard_of("acme", PARTITIONS)
    others = frozenset(range(PARTITIONS)) - {shard}
    whole = shown(observing, owned=others, owners={shard: "bridge-1"})
    assert whole["accounts"]["acme"] == {"shard": shard, "owner": "bridge-1", "here": False}
    assert whole["shards"]["owners"][str(shard)] == "bridge-1"
    unknown = shown(observing, owned=others)
    assert unknown["accounts"]["acme"]["owner"] is None
    assert str(shard) not in unknown["shards"]["owners"]


def test_what_is_ours_is_known_before_the_group_is_asked(observing: Observing) -> None:
    whole = shown(observing, owners=dict.fromkeys(range(PARTITIONS), "bridge-1"), owned=frozenset({2}))
    assert [*whole["shards"]["owners"].values()] == ["bridge-1", "bridge-1", "bridge-0", "bridge-1"]


def test_it_tells_whose_it_is(observing: Observing) -> None:
    whole = shown(observing)
    told = {name: whole[name] for name in ("instance", "host", "version", "started_at", "kafka", "prefix", "replica")}
    assert Process(**told) == PROCESS


def test_the_head_is_as_bad_as_the_worst_part_and_no_better_than_pending_until_ready(observing: Observing) -> None:
    observing.owning(range(PARTITIONS))
    for account in ("acme", "zeta"):
        for polled in (LEAD, TASK):
            observing.polled(replace(polled, account=account), Scanned())
    assert shown(observing)["state"] == "on-time"
    assert shown(observing, ready=False)["state"] == "pending"
    assert shown(observing, after=40.0)["state"] == "delayed"
    observing.polled(LEAD, Scanned(Trouble(Why.FORBIDDEN, "no")))
    whole = shown(observing)
    assert (whole["state"], whole["accounts"]["acme"]["state"]) == ("action-required", "action-required")
    assert whole["accounts"]["zeta"]["state"] == "on-time"


def test_deletes_that_are_held_ask_for_somebody_though_every_entity_is_on_time(observing: Observing) -> None:
    for polled in (LEAD, TASK):
        observing.polled(polled, Scanned())
    observing.holding("acme", Held(Reason.TOO_MANY, 60, 100, 1_790_000_000.0))
    acme = shown(observing)["accounts"]["acme"]
    assert (acme["state"], acme["entities"]["lead"]["state"]) == ("action-required", "on-time")


def test_an_account_that_comes_back_is_not_late_for_the_time_when_others_had_it(observing: Observing) -> None:
    shard = shard_of("acme", PARTITIONS)
    observing.owning(range(PARTITIONS))
    observing.scanned_at["acme", "lead"] = time.time() - 900
    observing.owned_since[shard] -= 1000
    assert shown(observing)["accounts"]["acme"]["entities"]["lead"]["state"] == "error"
    observing.owning([])
    observing.owning(range(PARTITIONS))
    assert shown(observing)["accounts"]["acme"]["entities"]["lead"]["state"] == "on-time"


def test_events_are_shown_with_the_last_ones_time(observing: Observing) -> None:
    for kind in (Kind.CREATED, Kind.SNAPSHOT, Kind.UPDATED):
        observing.judged("lead", Via.POLL, Change(kind, "acme", "lead", 7, {}, {}, (), "poll", 0, "", 0.0))
    lead = shown(observing)["accounts"]["acme"]["entities"]["lead"]
    assert lead["events"] == 2
    assert lead["event_at"] == observing.history.events["acme", "lead"].at
