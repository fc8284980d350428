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

    def account(self, name: str = "acme", *, per_minute: int = 170) -> CopperAccount:
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
        self._pulse.beat()
        await asyncio.sleep(ROUND_TRIP)
        headers = {"date": formatdate(self._clock(), usegmt=True), "content-type": "application/json"}
        return Received(status, headers, orjson.dumps(value), ROUND_TRIP)

    def _answer(self, call: Call, what: str, key: str) -> tuple[int, Any]:
        status = 401 if key not in self.keys else self.refused.get(what, self.refused.get("*", 200))
        if status != 200:
            return status, {"success": False, "status": status, "message": "no"}
        _, path, *rest = call.path.split("/")
        if path == "account":
            return 200, {"id": 1, "name": "Acme"}
        if rest == ["search"]:
            return 200, [row for (kind, _), row in self.records.items() if kind == path and _wanted(row, call.body)]
        if call.method == "POST":
            return 200, self.keep(path, 1000 + len(self.records), **(call.body or {}))
        found = self.records.get((path, int(rest[0])))
        return (200, found) if found else (404, {"success": False, "status": 404, "message": "Resource not found"})


def _wanted(row: Mapping[str, Any], body: Mapping[str, Any] | None) -> bool:
    asked = body or {}
    first = asked.get("page_number", 1) == 1
    return bool(first and row["date_modified"] >= asked.get("minimum_modified_date", 0))
