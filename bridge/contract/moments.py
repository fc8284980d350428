"""Moments as people and headers write them, RFC 3339: read into Unix seconds, and written. Pure."""

import re
from datetime import UTC, datetime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def moment(text: str) -> float:
    """Unix seconds of `2027-01-04T09:12:44Z`.

    Raises:
        ValueError: it is nothing of the kind; the text is free of what was given.
    """
    try:
        # Python's own reader takes forms that RFC 3339 has not: week dates, no offset.
        at = datetime.fromisoformat(text.upper()) if _RFC_3339.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        raise ValueError("must be a time as RFC 3339 has it, like 2027-01-04T09:12:44Z")
    return at.timestamp()


def utc(at: float) -> str:
    """Unix seconds as RFC 3339 has it, to the second: `2026-11-25T07:02:11Z`."""
    return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")
