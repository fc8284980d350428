"""The replicas on the status page: which of them owns which shards, and with them which accounts.

Called by `bridge.web.page.sections`. Pure. What nobody has told is said to be not known.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from bridge.web.page.html import NOTHING, Element, body, node, region, row, table

MOST_NAMES = 20
"""Accounts that are named for each; how many there are is told of all."""
UNKNOWN = "not known"


def replicas(status: Mapping[str, Any]) -> Element:
    """A row for each replica, and one for what none is known to own."""
    shards, accounts = _by_owner(status)
    rows = [_replica(name, shards[name], accounts[name], status["replica"]) for name in sorted(shards.keys() - {None})]
    if None in shards:
        rows.append(row(UNKNOWN, runs(shards[None]), _named(accounts[None])))
    said = node("p", "As the consumer group ", node("code", status["instance"]), " tells it, every ten seconds or so.")
    return region("replicas", "Replicas", table("replicas", ["Replica", "Shards", "Accounts"], body(*rows)), said)


def _by_owner(status: Mapping[str, Any]) -> tuple[dict[Any, list[int]], dict[Any, list[str]]]:
    """Shards and accounts of each replica, None for those of whom it is not known; this one is there in any case."""
    owners = status["shards"]["owners"]
    shards, accounts = defaultdict[Any, list[int]](list, {status["replica"]: []}), defaultdict[Any, list[str]](list)
    for shard in range(status["shards"]["count"]):
        shards[owners.get(str(shard))].append(shard)
    for name, account in status["accounts"].items():
        accounts[account["owner"]].append(name)
    return shards, accounts


def _replica(name: str, shards: Sequence[int], accounts: Sequence[str], own: str) -> Element:
    this = " (this one)" if name == own else ""
    return row(node("span", node("b", name), this), runs(shards) or "none, as a standby", _named(accounts))


def _named(accounts: Sequence[str]) -> str:
    if not accounts:
        return NOTHING
    more = f" and {len(accounts) - MOST_NAMES:,} others" if len(accounts) > MOST_NAMES else ""
    return f"{len(accounts):,}: {', '.join(accounts[:MOST_NAMES])}{more}"


def runs(numbers: Sequence[int]) -> str:
    """Ascending numbers as briefly as can be: 0, 2-5."""
    grouped = groupby(enumerate(numbers), lambda each: each[1] - each[0])
    found = [[number for _, number in run] for _, run in grouped]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in found)
