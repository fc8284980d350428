"""What `check` tells: a line for each thing that was looked at, and the ways out of what is wrong.

Called by `bridge.app.checking` with what the sides have found. Pure; `checks_of_copper` and `checks_of_kafka` judge
those two, what is left is judged here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address


class Part(StrEnum):
    """What a line is about."""

    SETTINGS = "settings"
    STATE = "state"
    COPPER = "copper"
    CLOCK = "clock"
    KAFKA = "kafka"
    TOPICS = "topics"
    WEBHOOKS = "webhooks"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. What is wrong, and what is only to be known, has a way out beside it."""

    part: Part
    ok: bool
    message: str
    fix: str = ""


def fine(part: Part, message: str) -> Line:
    """It is as it should be."""
    return Line(part, ok=True, message=message)


def warning(part: Part, message: str, fix: str) -> Line:
    """The bridge works with it, but its operator should know."""
    return Line(part, ok=True, message=message, fix=fix)


def wrong(part: Part, message: str, fix: str) -> Line:
    """The bridge does not work with it."""
    return Line(part, ok=False, message=message, fix=fix)


MOST_NAMED = 3


def some(names: Sequence[str]) -> str:
    """A few of the names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of asking the public address from here: its addresses, and the answer's status or why there is none."""

    addresses: tuple[str, ...]
    status: int | None = None
    problem: str = ""


def webhooks(url: str, path: str, reached: Reached) -> Line:
    """Whether Copper can be expected to reach `url`. From inside that is never certain, so nothing is called wrong.

    `path` is one that a bridge answers to POST only.
    """
    about, aloud = Part.WEBHOOKS, f"{url}{path}"
    if not reached.addresses:
        return warning(about, f"{url} is not resolved from here: {reached.problem}", "publish its name in the DNS")
    if not any(ip_address(each).is_global for each in reached.addresses):
        what = f"{url} leads to {some(reached.addresses)} from here: Copper takes public addresses only"
        return warning(about, what, "see to it that the name has a public address outside")
    if reached.status is None:
        fix = "let the Ingress or proxy lead to the public port; from outside it may be reached all the same"
        return warning(about, f"{url} does not answer from here: {reached.problem}", fix)
    if reached.status != HTTPStatus.METHOD_NOT_ALLOWED:
        fix = "let the address lead to the public port of a running bridge, paths unchanged"
        return warning(about, f"GET {aloud} is answered {reached.status}, a bridge answers 405", fix)
    return fine(about, f"{url} leads to a bridge")
