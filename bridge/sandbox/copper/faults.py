"""Scripted faults: what goes wrong, for which calls, how often.

Put up through `CopperDouble.fault` or the control interface, asked by `server` for every call that passed the limits.
The first fault that fits a call is played and counted.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from bridge.sandbox.copper.answers import Answer, envelope, html, short

MESSAGES = {
    401: "Invalid api token",
    403: "Feature not enabled",
    404: "Resource not found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
FOR_EVER = 24 * 3600.0


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong.

    kind
        `status` answers `status`; `reset` cuts the connection; `hang` never answers; `slow` answers rightly after
        `seconds`; `late` never answers and applies the call after `seconds`; `cut` answers rightly but ends half-way.
    when
        `before`: the call is not carried out; `after`: it is, and the caller learns nothing of it. Counts for
        `status`, `reset` and `hang`.
    """

    kind: Literal["status", "reset", "hang", "slow", "late", "cut"]
    when: Literal["before", "after"] = "before"
    status: int = 500
    body: Literal["json", "short", "html", "empty"] = "json"
    message: str | None = None
    seconds: float = FOR_EVER
    """Pause of `slow` and `late`; a `hang` is cut off after it."""
    method: str = "*"
    path: str = "*"
    """Glob on the path below `/developer_api/v1`, such as `/companies/*`; or `/oauth/token`."""
    account: str = "*"
    contains: str = ""
    """Only calls whose body has this text."""
    times: int | None = 1
    """How many calls it hits; None: all."""
    skip: int = 0
    """Calls that fit and are let through first."""
    hits: int = field(default=0)

    def fits(self, *, method: str, path: str, account: str, body: bytes) -> bool:
        """Whether a call is of the kind this fault is for."""
        named = fnmatchcase(method, self.method) and fnmatchcase(path, self.path) and fnmatchcase(account, self.account)
        return named and self.contains.encode() in body

    def answer(self) -> Answer:
        """What a `status` fault answers."""
        text = self.message or MESSAGES.get(self.status, "Bad Request")
        if self.body == "html":
            return html(self.status, text)
        if self.body == "empty":
            return Answer(self.status)
        return short(self.status, text) if self.body == "short" else envelope(self.status, text)


class Faults:
    """The faults that are up, in order."""

    def __init__(self) -> None:
        self.up: list[Fault] = []

    def next(self, *, method: str, path: str, account: str, body: bytes) -> Fault | None:
        """The fault to be played for a call, counted; None: all goes well."""
        for fault in self.up:
            if not fault.fits(method=method, path=path, account=account, body=body):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            if fault.times is not None and fault.hits >= fault.times:
                self.up.remove(fault)
            return fault
        return None
