"""What the status page is given to show, as `/api/status` and `/api/history` have it."""

from collections.abc import Mapping
from typing import Any

LANES = dict.fromkeys(("commands", "bulk", "polls"), 0)
NOW = 1_790_000_100.0


def entity(state: str = "on-time", **more: Any) -> dict[str, Any]:
    told = {"every": 15.0, "scanned_at": NOW - 4, "trouble": None, "events": 0, "event_at": None, "snapshot": None}
    return {"state": state, **told, **more}


def account(state: str = "on-time", entities: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    calls = {"limit": 170, "last_minute": LANES | {"polls": 24}, "waiting": LANES | {"bulk": 3}}
    followed = {"company": entity(state)} if entities is None else entities
    return {
        "shard": 0, "owner": "bridge-0", "here": True,
        "state": state, "entities": followed, "deletes_held": None, "calls": calls, **more
    }  # fmt: skip


def shards(**more: Any) -> dict[str, Any]:
    ours = {"0": "bridge-0", "2": "bridge-0"}
    return {"count": 4, "owned": [0, 2], "open": [0, 2], "owners": ours | {"1": "bridge-1"}, **more}


def elsewhere(owner: str | None = "bridge-1", shard: int = 1) -> dict[str, Any]:
    return {"shard": shard, "owner": owner, "here": False}


def status(accounts: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "instance": "copper-bridge",
        "host": "bridge-0",
        "version": "0.1.0",
        "started_at": NOW - 3600,
        "kafka": "kafka-0:9092",
        "prefix": "copper",
        "replica": "bridge-0",
        "now": NOW,
        "ready": True,
        "state": "on-time",
        "shards": shards(),
        "accounts": {"acme": account()} if accounts is None else accounts,
        **more,
    }


def history(**more: Any) -> dict[str, Any]:
    minutes = [
        {"at": int(NOW) // 60 * 60 - 60 * ago, "events": 0, "commands": 0, "calls": 0} for ago in range(59, -1, -1)
    ]
    return {"minutes": minutes, "commands": [], "happenings": [], "dead_letters": {}, **more}


def command(**more: Any) -> dict[str, Any]:
    return {
        "at": NOW, "id": "order-7", "account": "acme", "action": "company.create", "status": "succeeded", "code": None,
        "attempts": 1, "duplicate": False, "took": 0.31, **more
    }  # fmt: skip
