"""Webhook subscriptions of one account: what the API shows and takes.

Called by `routes`; read by `webhooks`, which delivers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from bridge.sandbox.copper.answers import Problem, invalid, not_found, refused
from bridge.sandbox.copper.entities import ENTITIES
from bridge.sandbox.copper.knobs import Knobs
from bridge.sandbox.copper.validation import unrecognized

MOST = 100
TYPES = (*ENTITIES, "activity_log")
EVENTS = ("new", "update", "delete")
CHANGEABLE = ("target", "secret", "headers", "custom_field_computed_values")
TAKEN = ("type", "event", *CHANGEABLE)
FIRST_ID = 560_901


@dataclass(slots=True)
class Subscription:
    """One pair of type and event, sent to one target. Copper shows secret and headers in clear; so does the double."""

    id: int
    target: str
    type: str
    event: str
    secret: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    custom_field_computed_values: bool
    created_at: int


class Subscriptions:
    """The subscriptions of one account."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.rows: dict[int, Subscription] = {}
        self._next = FIRST_ID

    def create(self, body: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        """Subscribe; the same pair may be taken several times."""
        found = unrecognized(body, TAKEN)
        found += [Problem(name, "can't be blank") for name in ("target", "type", "event") if not body.get(name)]
        for name, words in (("type", TYPES), ("event", EVENTS)):
            if body.get(name) and body[name] not in words:
                found.append(Problem(name, "is not included in the list"))
        if len(self.rows) >= MOST:
            found.append(Problem("base", f"Maximum of {MOST} webhook subscriptions reached"))
        if found:
            raise invalid(*found)
        self._check(body)
        computed = bool(body.get("custom_field_computed_values"))
        row = Subscription(
            self._next,
            body["target"],
            body["type"],
            body["event"],
            body.get("secret"),
            body.get("headers"),
            computed,
            int(now),
        )
        self._next += 1
        self.rows[row.id] = row
        return asdict(row)

    def list(self) -> list[dict[str, Any]]:
        """Every subscription of the account."""
        return [asdict(row) for row in self.rows.values()]

    def get(self, subscription_id: int) -> dict[str, Any]:
        """One subscription."""
        return asdict(self._row(subscription_id))

    def update(self, subscription_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change anything but type and event."""
        row = self._row(subscription_id)
        if found := unrecognized(body, CHANGEABLE):
            raise invalid(*found)
        self._check(body)
        for name, value in body.items():
            setattr(row, name, value)
        return asdict(row)

    def delete(self, subscription_id: int) -> dict[str, Any]:
        """Unsubscribe."""
        self._row(subscription_id)
        del self.rows[subscription_id]
        return {"id": subscription_id}

    def _row(self, subscription_id: int) -> Subscription:
        if subscription_id not in self.rows:
            raise not_found()
        return self.rows[subscription_id]

    def _check(self, body: Mapping[str, Any]) -> None:
        if "target" in body:
            parts = urlsplit(str(body["target"]))
            schemes = {"https", "http"} if self.knobs.webhook_allow_http else {"https"}
            if parts.scheme not in schemes or not parts.hostname:
                raise refused("Invalid input: Invalid URI For External Request")
        for name in ("secret", "headers"):
            if body.get(name) is not None and not isinstance(body[name], dict):
                raise invalid(Problem(name, "is invalid"))
