"""How a status looks on a terminal."""

from typing import Any

from rich.console import Console

from bridge.cli.status import view_of

NOW = 1_790_000_100.0
LANES = {"commands": 3, "bulk": 0, "polls": 24, "checks": 0, "snapshots": 0, "sweeps": 0}
SNAPSHOT = {"records": 400, "expected": 1200, "calls": 2, "seconds_left": 7, "done": False, "incomplete": False}
ACME: dict[str, Any] = {
    "shard": 2,
    "here": True,
    "paused": {"reason": "unauthorized", "since": 1_790_000_000.0},
    "entities": {
        "lead": {"state": "on-time", "scanned_at": NOW - 7, "trouble": None, "snapshot": SNAPSHOT},
        "task": {"scanned_at": None, "trouble": "rate-limited", "snapshot": {**SNAPSHOT, "done": True}},
    },
    "deletes_held": {"reason": "too-many", "missing": 60, "known": 100, "since": 1_790_000_000.0},
    "calls": {"limit": 170, "last_minute": LANES, "waiting": dict.fromkeys(LANES, 0)},
}

OWNERS = {"owners": {"0": "b-0", "1": "b-1", "2": "b-0"}}


def seen(owners: dict[str, Any], **accounts: Any) -> list[str]:
    console = Console(width=120)
    told = {"ready": True, "shards": {"owned": [0, 2], "open": [2]} | owners, "replica": "b-0", "accounts": accounts}
    with console.capture() as captured:
        console.print(view_of(told, NOW))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_every_entity_has_a_row_and_every_account_its_budget_and_what_waits_for_somebody() -> None:
    elsewhere = {"shard": 1, "owner": "b-1", "here": False}
    assert seen(OWNERS, acme=ACME, zeta=elsewhere, zoe={"shard": 3, "owner": None, "here": False}) == [
        "ready, shards 2 open of 0, 2",
        "b-0, this one: shards 0, 2",
        "b-1: shards 1",
        "account  entity  state    last scan  trouble       snapshot",
        "acme     lead    On time  7 s ago                  400/1200 records, 7 s left",
        "acme     task    -        -          rate-limited  400 records",
        "acme: 27/170 calls in the last minute (commands 3, polls 24); waiting none",
        "acme: paused since 2026-09-21T14:13:20Z: unauthorized",
        "acme: deletes held back since 2026-09-21T14:13:20Z: too-many, 60 of 100 missing",
        "zeta: served by b-1 (shard 1)",
        "zoe: served by another process (shard 3)",
    ]


def test_a_bridge_without_paused_accounts_states_of_entities_or_owners_is_understood() -> None:
    plain = {name: value for name, value in ACME.items() if name != "paused"} | {"deletes_held": None}
    assert len(seen({}, acme=plain, zeta={"shard": 1, "here": False})) == 6
