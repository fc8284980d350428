"""A Copper in memory behind the wire: it lets in who has the right key, and notes every request with its key."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, cast

import orjson

from bridge.copper.budgeting import Allowance
from bridge.copper.calls import Call
from bridge.copper.client import CopperAccount
from bridge.copper.transport import Received, Transport
from bridge.copper.turns import Turn, at_once
from bridge.copper.wire import ApiKey, Credentials
from bridge.policy.budget import Budget
from bridge.policy.sightings import Trouble, Why
from tests.unit.shard.endings import Pulse

ROUND_TRIP = 0.2
KEY, NEXT = "the-first-key", "the-next-key"
EMAIL = "ops@acme.example"


@dataclass(frozen=True)
class Request:
    """One that came in; `at` is loop time."""

    at: float
    what: str
    key: str


class Guarded:
    """Answers as Copper does; satisfies what a `CopperAccount` needs of its transport."""

    def __init__(self, clock: Callable[[], float], pulse: Pulse) -> None:
        self.keys = {KEY}
        self.refused: dict[str, int] = {}
        """Method and path, or `*`, to the status that is answered instead."""
        self.requests: list[Request] = []
        self.records: dict[tuple[str, int], dict[str, Any]] = {}
        self.mounted: dict[str, str] = {}
        """Account to the key that its file holds now."""
        self._clock = clock
        self._pulse = pulse
        self._total = 0

    def account(self, name: str = "acme", *, per_minute: int = 170, turn: Turn = at_once) -> CopperAccount:
        """The bridge's view of an account, with the key that is mounted for it at the moment of each call."""
        self.mounted.setdefault(name, KEY)
        budget = Allowance(Budget(per_minute, asyncio.get_running_loop().time()))
        return CopperAccount(
            name,
            lambda: ApiKey(self.mounted[name], EMAIL),
            budget,
            cast("Transport", self),
            observe=lambda _observed: None,
            clock=self._clock,
            turn=turn,
        )

    def asked(self, since: float = 0.0) -> list[str]:
        """What was asked from that moment of the loop on."""
        return [request.what for request in self.requests if request.at >= since]

    def keep(self, path: str, record_id: int, **fields: Any) -> dict[str, Any]:
        now = int(self._clock())
        before = self.records.get((path, record_id), {"id": record_id, "date_created": now})
        record = self.records[path, record_id] = {**before, "date_modified": now, **fields}
        return record

    async def exchange(self, call: Call, credentials: Credentials, deadline: float | None) -> Received | Trouble:
        if deadline is not None and self._clock() > deadline:
            return Trouble(Why.EXPIRED, "too late")
        what = f"{call.method} {call.path}"
        key = credentials.headers()["X-PW-AccessToken"]
        self.requests.append(Request(asyncio.get_running_loop().time(), what, key))
        status, value = self._answer(call, what, key)
        total = self._total
        self._pulse.beat()
        await asyncio.sleep(ROUND_TRIP)
        headers = {"date": formatdate(self._clock(), usegmt=True), "content-type": "application/json"}
        if isinstance(value, list):
            headers["x-pw-total"] = str(total)
        return Received(status, headers, orjson.dumps(value), ROUND_TRIP)

    def _answer(self, call: Call, what: str, key: str) -> tuple[int, Any]:
        status = 401 if key not in self.keys else self.refused.get(what, self.refused.get("*", 200))
        if status != 200:
            return status, {"success": False, "status": status, "message": "no"}
        _, path, *rest = call.path.split("/")
        if path == "account":
            return 200, {"id": 1, "name": "Acme"}
        if rest == ["search"]:
            rows = _found([row for (kind, _), row in self.records.items() if kind == path], call.body or {})
            self._total = len(rows)
            return 200, _page(rows, call.body or {})
        if call.method == "POST":
            return 200, self.keep(path, 1000 + len(self.records), **(call.body or {}))
        found = self.records.get((path, int(rest[0])))
        return (200, found) if found else (404, {"success": False, "status": 404, "message": "Resource not found"})


def _found(rows: list[dict[str, Any]], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    stamp, descending = asked.get("sort_by", "date_modified"), asked.get("sort_direction") == "desc"
    for field, bound in (("date_created", "created_date"), ("date_modified", "modified_date")):
        low, high = asked.get(f"minimum_{bound}", 0), asked.get(f"maximum_{bound}", 1 << 62)
        rows = [row for row in rows if low <= row[field] <= high]
    rows.sort(key=lambda row: (row[stamp], row["id"]), reverse=descending)
    return rows


def _page(rows: list[dict[str, Any]], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    size, page = asked.get("page_size", 200), asked.get("page_number", 1)
    return rows[(page - 1) * size : page * size]
