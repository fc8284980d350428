"""Weather at Copper: calls that fail before, after and long after being applied, by chance from a seed.

Put in place of the double's scripted faults, it also notes whose command each call was.
"""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from random import Random
from typing import Literal

from bridge.sandbox.copper import Fault
from bridge.sandbox.copper.entities import PLURALS
from bridge.sandbox.copper.faults import Faults
from bridge.sandbox.copper.limits import Call
from tests.faults.commands.orders import Order, mark_of

Cause = tuple[Hashable, ...]
"""Account and what tells whose a call or an effect is."""
ROUGH_WRITES, ROUGH_READS = 0.22, 0.06
"""Shares of calls that fail."""
ANSWER_S = (0.01, 0.12)
GIVEN_UP_S = 2.0
"""The bridge's `copper.timeout`."""
LATEST_S = 2.6
"""Below the bridge's `copper.timeout` + `copper.lateness`."""
WHEN = frozenset({"status", "reset", "hang"})
ERRORS = (500, 502, 503, 504)
WHENS: Sequence[Literal["before", "after"]] = ("before", "after")
BODIES: Sequence[Literal["json", "short", "html", "empty"]] = ("json", "short", "html", "empty")
_MARK = re.compile(rb"\bmark (\d+)\b")
_NAMED = re.compile(r"/(\w+)/(\d+)(/convert)?")


def cause_of_order(order: Order) -> Cause:
    """Its record where it has one of its own, else its mark."""
    if order.action in {"delete", "convert"}:
        return order.account, order.action, order.entity, order.record_id
    return order.account, order.mark


def cause_of_call(account: str, method: str, path: str, body: bytes) -> Cause:
    """The same, of a call."""
    named = _NAMED.fullmatch(path)
    if named and (method == "DELETE" or named[3]):
        action = "convert" if named[3] else "delete"
        return account, action, PLURALS[named[1]].name, int(named[2])
    marked = _MARK.search(body)
    return (account, mark_of(int(marked[1]))) if marked else (account, method, path)


class Weather(Faults):
    """Every call's fate."""

    def __init__(self, calls: Sequence[Call], random: Random) -> None:
        super().__init__()
        self.causes: dict[int, Cause] = {}
        """By the call's number."""
        self.struck: Counter[str] = Counter()
        """What has happened, by kind."""
        self.calm = True
        self._calls = calls
        self._random = random

    def next(self, *, method: str, path: str, account: str, body: bytes) -> Fault:
        """What happens to a call. The double asks right after it has put the call on its list."""
        self.causes[self._calls[-1].number] = cause_of_call(account, method, path, body)
        write = method != "GET" and not path.endswith(("/search", "/fetch_by_email"))
        if self.calm or self._random.random() >= (ROUGH_WRITES if write else ROUGH_READS):
            return Fault("slow", seconds=self._random.uniform(*ANSWER_S))
        fault = self._storm(late=write)
        self.struck[f"{fault.kind} {fault.when}" if fault.kind in WHEN else fault.kind] += 1
        return fault

    def _storm(self, *, late: bool) -> Fault:
        random = self._random
        when, body, status = random.choice(WHENS), random.choice(BODIES), random.choice(ERRORS)
        kinds = [
            Fault("status", when=when, status=status, body=body),
            Fault("reset", when=when),
            Fault("hang", when=when, seconds=LATEST_S),
            Fault("cut"),
        ]
        if late:
            kinds += [
                Fault("late", seconds=random.uniform(0, LATEST_S)),
                Fault("slow", seconds=random.uniform(GIVEN_UP_S, LATEST_S)),
            ]
        return random.choice(kinds)
