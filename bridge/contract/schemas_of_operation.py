"""JSON Schema of what is no event, command or reply: notices, control messages, announcements, watermarks.

Called by `schemas`, which makes documents of them. Pure.
"""

from collections.abc import Mapping
from typing import Any

from bridge.contract.catalogue import CATALOGUE

Schema = dict[str, Any]
_ASKED = ["snapshot", "sweep", "approve-deletes", "reject-deletes", "set-cursor"]
_ASKED_OF_ACCOUNTS = ["connect", "pause", "resume", "disconnect", "forget"]


def operations() -> Mapping[str, tuple[str, Schema]]:
    """Name of each document to its title and schema."""
    return {
        "notice.v1": ("Webhook notice", _notice()),
        "control.v1": ("Control message", _control()),
        "announcement.v1": ("Announcement", _announcement()),
        "watermark.v1": ("Watermark", _watermark()),
    }


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": [*properties], "properties": properties}


def _notice() -> Schema:
    """A webhook notice as it lies in the inbox: a hint that something changed, no record and no secret in it."""
    return _object(
        {
            "account": {"type": "string"},
            "entity": {"type": "string"},
            "event": {"type": "string", "description": "created, updated or deleted"},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "happened_ms": {"type": "integer", "description": "Unix milliseconds"},
        }
    )


def _control() -> Schema:
    """The value of a control message, closed."""
    properties: Schema = {
        "id": {"type": "string", "minLength": 1, "maxLength": 255},
        "type": {"enum": [*_ASKED, *_ASKED_OF_ACCOUNTS]},
        "account": {"type": "string"},
        "entity": {"enum": list(CATALOGUE.followed)},
        "to": {"type": "string", "format": "date-time", "description": "of set-cursor: where the next scan begins"},
        "sealed": {
            "type": "object",
            "description": "of connect, which the bridge asks of itself: the token, sealed with a key of its own",
        },
    }
    return {**_object(properties), "required": ["type"], "additionalProperties": False}


def _announcement() -> Schema:
    """The value of an announcement; the members of `data` depend on `type`, and more may come."""
    text_or_null = {"type": ["string", "null"]}
    return _object(
        {
            "type": {"type": "string"},
            "account": text_or_null,
            "entity": text_or_null,
            "control_id": {**text_or_null, "description": "id of the control message that caused it"},
            "at_ms": {"type": "integer", "description": "Unix milliseconds"},
            "data": {"type": "object"},
        }
    )


def _watermark() -> Schema:
    """The value of a watermark: up to when everything has been published."""
    seconds = {"type": "integer", "description": "Unix seconds by Copper's clock"}
    seconds_or_null = {"type": ["integer", "null"], "description": "Unix seconds by Copper's clock"}
    return _object(
        {
            "account": {"type": "string"},
            "entity": {"type": "string"},
            "complete_to": seconds,
            "searched_at": seconds,
            "claimed": {"type": ["integer", "null"]},
            "seen": {"type": "integer"},
            "events": {"type": "object", "additionalProperties": {"type": "integer"}},
            "deep_at": seconds_or_null,
            "swept_at": seconds_or_null,
        }
    )
