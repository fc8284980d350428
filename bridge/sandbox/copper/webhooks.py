"""Delivers webhook notifications of one account: late, at most once, in any order, or worse by the knobs.

`account` hands it every effect; `run` sends what is due. Times of delivery follow the double's clock, so that a test
that moves the clock need not wait.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiohttp
import orjson

from bridge.sandbox.copper.entities import ACTIVITY
from bridge.sandbox.copper.knobs import Knobs
from bridge.sandbox.copper.limits import Window
from bridge.sandbox.copper.reference_data import ReferenceData
from bridge.sandbox.copper.shaping import option_names
from bridge.sandbox.copper.store import Effect
from bridge.sandbox.copper.subscriptions import Subscription, Subscriptions

MOST_IDS = 30
CAPS = ((60.0, 600), (600.0, 1_800))
"""Notifications per span of seconds and account; what exceeds them is dropped."""
EVENT = {"create": "new", "update": "update", "delete": "delete"}
LOOK = 0.25
"""Longest pause between looks at the clock, seconds: it may be a test's and jump."""


@dataclass(slots=True)
class Delivery:
    """One notification. `fate` is waiting, delivered, refused, dropped, or gone (its subscription was deleted).

    `attempts` counts the requests sent, `status` is the last answer's, None when there was none.
    """

    subscription: Subscription
    ids: list[int]
    at: float
    due: float
    attributes: Mapping[str, Any]
    fate: str = "waiting"
    attempts: int = 0
    status: int | None = None
    number: int = field(default=0)

    def body(self) -> dict[str, Any]:
        """The notification as it is sent: ids only, no record fields, secret keys at the top level."""
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        row = self.subscription
        facts = {"ids": self.ids, "type": row.type, "event": row.event, "timestamp": moment, "subscription_id": row.id}
        return facts | {"updated_attributes": self.attributes, **(row.secret or {})}


class Webhooks:
    """The notifications of one account."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        reference: ReferenceData,
        knobs: Knobs,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self.subscriptions = subscriptions
        self.reference = reference
        self.knobs = knobs
        self.clock = clock
        self.random = random
        self.deliveries: list[Delivery] = []
        self._queue: list[tuple[float, int]] = []
        self._latest: dict[int, Delivery] = {}
        self._windows = [(Window(seconds), most) for seconds, most in CAPS]
        self._more = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._open = 0

    def hear(self, effect: Effect) -> None:
        """Queue what subscribers are to learn of an effect: edits, but no new relations or activities near a record."""
        if effect.kind not in EVENT or (effect.kind == "update" and not effect.changed):
            return
        wanted = "activity_log" if effect.entity == ACTIVITY else effect.entity
        for row in list(self.subscriptions.rows.values()):
            if (row.type, row.event) == (wanted, EVENT[effect.kind]):
                self._notify(row, effect)

    async def quiet(self) -> None:
        """Wait until nothing is queued or on its way."""
        await self._quiet.wait()

    def wake(self) -> None:
        """Look at the clock again: it was moved."""
        self._more.set()

    def repeat(self, number: int) -> None:
        """Send a notification once more, as if Copper had doubled it; `number` is its place in `deliveries`."""
        first = self.deliveries[number]
        again = Delivery(first.subscription, first.ids, first.at, self.clock(), first.attributes)
        again.number = len(self.deliveries)
        self._queue_up(again)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send notifications as they fall due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._more.clear()
                while self._queue and self._queue[0][0] <= self.clock():
                    _, number = heapq.heappop(self._queue)
                    group.create_task(self._deliver(session, self.deliveries[number]))
                pause = min(LOOK, max(0.001, self._queue[0][0] - self.clock())) if self._queue else None
                await self._nap(pause)

    async def _nap(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            pass

    def _notify(self, row: Subscription, effect: Effect) -> None:
        attributes = self._attributes(row, effect)
        latest = self._latest.get(row.id)
        if latest and latest.fate == "waiting" and not latest.attempts and self._joins(latest, effect):
            latest.ids.append(effect.id)
            latest.attributes = attributes
            return
        twice = self.random.random() < self.knobs.webhook_duplicate
        for _ in range(2 if twice else 1):
            due = effect.at + max(self.random.uniform(*self.knobs.webhook_delay), self.knobs.webhook_aggregation)
            if self.random.random() < self.knobs.webhook_reorder:
                due += self.random.uniform(0, self.knobs.webhook_reorder_by)
            self._queue_up(Delivery(row, [effect.id], effect.at, due, attributes, number=len(self.deliveries)))

    def _joins(self, latest: Delivery, effect: Effect) -> bool:
        near = effect.at - latest.at <= self.knobs.webhook_aggregation
        return (
            self.knobs.webhook_aggregation > 0 and near and len(latest.ids) < MOST_IDS and effect.id not in latest.ids
        )

    def _queue_up(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        lost = self.random.random() < self.knobs.webhook_drop
        if lost or not all(window.admit(delivery.at, most) for window, most in self._windows):
            delivery.fate = "dropped"
            return
        self._latest[delivery.subscription.id] = delivery
        heapq.heappush(self._queue, (delivery.due, delivery.number))
        self._open += 1
        self._quiet.clear()
        self._more.set()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        try:
            for left in range(self.knobs.webhook_redeliveries, -1, -1):
                if delivery.subscription.id not in self.subscriptions.rows:
                    delivery.fate = "gone"
                    return
                if await self._post(session, delivery) or not left:
                    return
                await asyncio.sleep(self.knobs.webhook_redelivery_after)
        finally:
            self._open -= 1
            if not self._open:
                self._quiet.set()

    async def _post(self, session: aiohttp.ClientSession, delivery: Delivery) -> bool:
        delivery.attempts += 1
        headers = {"Content-Type": "application/json", **(delivery.subscription.headers or {})}
        limit = aiohttp.ClientTimeout(total=self.knobs.webhook_timeout)
        try:
            async with session.post(
                delivery.subscription.target,
                data=orjson.dumps(delivery.body()),
                headers=headers,
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                delivery.status = answer.status
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            delivery.status = None
        done = delivery.status is not None and 200 <= delivery.status < 300  # noqa: PLR2004 - HTTP's success
        delivery.fate = "delivered" if done else "refused"
        return done

    def _attributes(self, row: Subscription, effect: Effect) -> dict[str, Any]:
        if row.event != "update":
            return {}
        changed: dict[str, Any] = {name: list(pair) for name, pair in effect.changed.items() if name != "custom_fields"}
        if pair := effect.changed.get("custom_fields"):
            before, after = (_values(entries) for entries in pair)
            changed["custom_fields"] = {
                str(key): [self._shown(row, key, before.get(key)), self._shown(row, key, value)]
                for key, value in after.items()
                if before.get(key) != value
            }
        return changed

    def _shown(self, row: Subscription, definition_id: int, value: Any) -> Any:
        return option_names(self.reference, definition_id, value) if row.custom_field_computed_values else value


def _values(entries: Iterable[Mapping[str, Any]] | None) -> dict[int, Any]:
    return {entry["custom_field_definition_id"]: entry["value"] for entry in entries or ()}
