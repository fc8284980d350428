"""Copper's wire without a socket: what to send as headers, and what an answer's status, headers and bytes mean.

`client` puts the bytes in and hands the meaning on. Knows Copper's two error envelopes (reference: copper-api.md §5)
and no HTTP library; never raises for any bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from bridge.copper.calls import UPSERT, Call
from bridge.copper.readings import Misread, is_id
from bridge.policy.sightings import Trouble, Why

MAX_DETAIL = 300
_MAX_MESSAGE = 10_000
"""Characters of a message that are read for fields: many times the longest known, so that nonsense costs little."""

_REFUSED = {
    400: Why.INVALID,
    401: Why.UNAUTHORIZED,
    403: Why.FORBIDDEN,
    404: Why.NOT_FOUND,
    409: Why.CONFLICT,
    422: Why.INVALID,
    429: Why.RATE_LIMITED,
}
_NOT_UNDERSTOOD_IN_TIME = (408, 425)
_CLIENT_ERRORS = range(400, 500)
_SUCCESS = range(200, 300)

_VALIDATION = re.compile(r"^Invalid input: Validation errors: ", re.IGNORECASE)
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9_ ]{0,80}?): +(.+)$")
_TAKEN = re.compile(r"\b(already|taken|unique|duplicate|in use)\b", re.IGNORECASE)
_UNRECOGNIZED = "Unrecognized attributes"
_ADDRESS = re.compile(r"[^\s@:,;<>\"'()]{1,64}@[^\s@:,;<>\"'()]{1,255}")
"""Bounded, so that a long run of other characters costs linear time."""
_DIGITS = re.compile(r"[0-9]{1,9}")
_SEVERAL = re.compile(r"\b(multiple|several|more than one|too many)\b", re.IGNORECASE)
_ID = re.compile(r"\b[1-9][0-9]{0,17}\b")
_MAX_IDS = 30
"""Ids that an upsert names when it matched several leads (reference: copper-api.md §9.3)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that succeeded. `total` is X-PW-TOTAL, `date` the Date header in Unix seconds; None when absent."""

    value: Any = field(repr=False)
    total: int | None
    date: int | None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The credentials of an API key: the key and the e-mail address of the user who made it."""

    key: str = field(repr=False)
    user_email: str

    def __post_init__(self) -> None:
        _check(self.key, self.user_email)

    def headers(self) -> dict[str, str]:
        """What identifies the caller at Copper (reference: copper-api.md §2.1)."""
        return {
            "X-PW-AccessToken": self.key,
            "X-PW-Application": "developer_api",
            "X-PW-UserEmail": self.user_email,
        }


@dataclass(frozen=True, slots=True)
class BearerToken:
    """The credentials of an OAuth authorization; the token does not expire (reference: copper-api.md §2.2)."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.token)

    def headers(self) -> dict[str, str]:
        """What identifies the caller at Copper."""
        return {"Authorization": f"Bearer {self.token}"}


Credentials = ApiKey | BearerToken


def encode(call: Call) -> bytes | None:
    """The body to send, None when there is none."""
    return None if call.body is None else orjson.dumps(dict(call.body))


def decipher(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> Answer | Trouble:
    """What Copper said to `call`. Header names are lower case; `body` is empty when it could not be read to its end."""
    value, said = _decoded(body), _said(status, headers)
    if status in _SUCCESS:
        read = value if isinstance(value, Misread) else call.reading(value)
        if isinstance(read, Misread):
            return Trouble(Why.UNREADABLE, f"{said}: {read.reason}", status)
        return read if isinstance(read, Trouble) else Answer(read, _total(headers), _date(headers))
    if status not in _CLIENT_ERRORS or status in _NOT_UNDERSTOOD_IN_TIME:
        return Trouble(Why.IN_DOUBT, said, status)
    if status == HTTPStatus.NOT_FOUND and not _of_the_application(value):
        return _no_such_place(said, value)
    return _refusal(call, status, value, said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, should Copper ever say so: none of its answers was seen with a Retry-After (reference: §3)."""
    number = _number(headers.get("retry-after", ""))
    return None if number is None else float(number)


def _refusal(call: Call, status: int, value: Any, said: str) -> Trouble:
    message = _message(value)
    text = _ADDRESS.sub("(an address)", message)
    fields = _fields(text)
    ids, several = _choice(call, value, message)
    why = Why.CONFLICT if several else _why(status, text, fields)
    return Trouble(why, text[:MAX_DETAIL] or said, status, fields, ids)


def _why(status: int, text: str, fields: Mapping[str, tuple[str, ...]] | None) -> Why:
    if status == HTTPStatus.FORBIDDEN and "feature not enabled" in text.lower():
        return Why.FEATURE_DISABLED
    reasons = [reason for reasons in (fields or {}).values() for reason in reasons] or [text]
    taken = any(_TAKEN.search(reason) and _UNRECOGNIZED not in reason for reason in reasons)
    if status in (400, 422) and taken:
        return Why.CONFLICT
    return _REFUSED.get(status, Why.INVALID)


def _of_the_application(value: Any) -> bool:
    return isinstance(value, dict) and value.get("success") is False and isinstance(value.get("message"), str)


def _no_such_place(said: str, value: Any) -> Trouble:
    """A 404 that speaks of no record: a wrong address or a gateway says it too, so it must not pass for a delete."""
    if isinstance(value, dict):
        return Trouble(Why.INVALID, "there is no such route: is copper.base_url right?", 404)
    return Trouble(Why.IN_DOUBT, said, 404)


def _message(value: Any) -> str:
    """The text of an error envelope: `message` of the long one, `error` of the short one; empty for anything else."""
    texts = (value.get("message"), value.get("error")) if isinstance(value, dict) else ()
    return next((text[:_MAX_MESSAGE] for text in texts if isinstance(text, str)), "")


def _fields(message: str) -> Mapping[str, tuple[str, ...]] | None:
    """`Invalid input: Validation errors: <Field>: <reason>`, one a line, as field -> reasons; `base` is the object."""
    lines, count = _VALIDATION.subn("", message)
    if not count:
        return None
    fields: dict[str, tuple[str, ...]] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        match = _FIELD.match(line)
        name, reason = (match[1].lower().replace(" ", "_"), match[2]) if match else ("base", line)
        fields[name] = (*fields.get(name, ()), reason[:MAX_DETAIL])
    return fields


def _choice(call: Call, value: Any, message: str) -> tuple[tuple[int, ...], bool]:
    """The leads an upsert could not choose from, and whether there were several.

    They are a list in the envelope or numbers in its text, neither is documented; more than 30 are not named.
    """
    if call.route != UPSERT or not isinstance(value, dict):
        return (), False
    listed = next((ids for ids in value.values() if isinstance(ids, list) and ids and all(map(is_id, ids))), None)
    several = listed is not None or _SEVERAL.search(message) is not None
    ids = tuple(listed or map(int, _ID.findall(message))) if several else ()
    return ids[:_MAX_IDS], several


def _decoded(body: bytes) -> Any:
    if not body:
        return Misread("without a body")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return Misread("not JSON")


def _said(status: int, headers: Mapping[str, str]) -> str:
    kind = headers.get("content-type", "").partition(";")[0].strip()
    plain = re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,40}", kind, re.ASCII)
    return f"Copper answered {status}" + (f" ({kind})" if plain else "")


def _total(headers: Mapping[str, str]) -> int | None:
    return _number(headers.get("x-pw-total", ""))


def _number(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text.strip()) else None


def _date(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers["date"]).timestamp())
    except (KeyError, TypeError, ValueError, OverflowError, IndexError):
        return None


def _check(*texts: str) -> None:
    """Refuse what would not travel as a header, before the first call and without telling it."""
    if not all(text and text.isascii() and text.isprintable() for text in texts):
        raise ValueError("credentials must be printable ASCII text and not empty")
