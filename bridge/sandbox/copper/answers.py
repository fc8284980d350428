"""What a call is answered with: values, Copper's two error envelopes, and the refusal that carries one.

Raised and returned by every route of the double, rendered by `server`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and extra headers of an HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a body: the field in Copper's snake case, `base` for the whole object, and the reason."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field.replace('_', ' ').title()}: {self.reason}"


class Refusal(Exception):
    """A call that is not carried out; `answer` is what the caller gets."""

    def __init__(self, answer: Answer, problems: Sequence[Problem] = ()) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.problems = tuple(problems)


def ok(value: Any, **headers: str) -> Answer:
    """A 200 with a JSON body."""
    return Answer(200, orjson.dumps(value), {name.replace("_", "-"): text for name, text in headers.items()})


def envelope(status: int, message: str) -> Answer:
    """The long error envelope."""
    return Answer(status, orjson.dumps({"success": False, "status": status, "message": message}))


def short(status: int, error: str) -> Answer:
    """The short error envelope, of unknown routes and oversized bulks."""
    return Answer(status, orjson.dumps({"error": error}))


def html(status: int, title: str) -> Answer:
    """What a gateway in front of Copper answers."""
    words = f"{status} {title}"
    text = f"<html><head><title>{words}</title></head><body><center><h1>{words}</h1></center></body></html>"
    return Answer(status, text.encode(), content_type="text/html")


def not_found() -> Refusal:
    """Unknown or deleted id, unknown e-mail."""
    return Refusal(envelope(404, "Resource not found"))


def no_route() -> Refusal:
    """A path or method Copper does not have, GET on a plural among them."""
    return Refusal(short(404, "not_found"))


def refused(text: str, status: int = 422) -> Refusal:
    """A message that is no list of validation errors."""
    return Refusal(envelope(status, text))


def invalid(*problems: Problem) -> Refusal:
    """422 with every problem joined by a line feed, as seen of live Copper."""
    message = "Invalid input: Validation errors: " + "\n".join(map(str, problems))
    return Refusal(envelope(422, message), problems)
