"""Webhook notifications: what Copper's POST says, and whether it was Copper who sent it.

Called by the public web side through `bridge.app`; sans-I/O. A notification is a hint and never a fact: it names
records to look at, and at worst a false one costs a call (reference: copper-api.md §10.2).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from bridge.copper.entities import SCANNED
from bridge.copper.readings import is_id

TOKEN_HEADER = "X-Bridge-Token"  # noqa: S105 - the header's name
"""The header that every subscription makes Copper send, with `webhook_secret` as its value."""

EVENTS = {"new": "created", "update": "updated", "delete": "deleted"}
"""Copper's word for what happened -> the bridge's."""

MAX_IDS = 200
"""Ids taken of one notification: what one search looks up. Copper sends 30 at most (reference: copper-api.md §10.2)."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Something happened to these records. `event` is created, updated or deleted; `timestamp_ms` Unix milliseconds."""

    entity: str
    event: str
    ids: tuple[int, ...]
    timestamp_ms: int
    subscription_id: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a body is no notification, in words that hold nothing of it."""

    reason: str


def read(body: bytes) -> Notification | Refusal:
    """What the body says; keys it need not have are ignored. Never raises, for any bytes."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Refusal("not JSON")
    return _notification(value) if isinstance(value, dict) else Refusal("no JSON object")


def webhook_secret(api_key: str, account: str) -> str:
    """The secret of an account's subscriptions, derived from its API key (or token).

    So every replica knows it, nothing has to be configured, and a new key makes a new secret.
    """
    return hmac.new(api_key.encode(), b"copper-bridge webhook/" + account.encode(), hashlib.sha256).hexdigest()


def digest(secret: str) -> bytes:
    """What `authentic` compares: the SHA-256 of a secret, so that neither its length nor its bytes leak by time."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def authentic(headers: Mapping[str, str], expected: Sequence[bytes]) -> bool:
    """Whether the token header (in any case) is one of the secrets whose `digest`s are expected: all are compared."""
    given = next((value for name, value in headers.items() if name.lower() == TOKEN_HEADER.lower()), "")
    mine = digest(given)
    # A list, not a generator: every comparison is made, so that the time tells nothing about which one held.
    return any([hmac.compare_digest(mine, each) for each in expected])  # noqa: C419


def _notification(value: Mapping[str, Any]) -> Notification | Refusal:
    entity, event = value.get("type"), value.get("event")
    ids, subscription_id = value.get("ids"), value.get("subscription_id")
    timestamp_ms = _timestamp_ms(value.get("timestamp"))
    if not isinstance(entity, str) or entity not in SCANNED:
        return Refusal("unknown type")
    if not isinstance(event, str) or event not in EVENTS:
        return Refusal("unknown event")
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_IDS or not all(map(is_id, ids)):
        return Refusal(f"ids are not 1 to {MAX_IDS} positive integers")
    if timestamp_ms is None:
        return Refusal("timestamp is not an ISO 8601 time with its zone")
    if not is_id(subscription_id):
        return Refusal("subscription_id is no positive integer")
    return Notification(entity, EVENTS[event], tuple(dict.fromkeys(ids)), timestamp_ms, subscription_id)


def _timestamp_ms(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return round(moment.timestamp() * 1000) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
