"""The search index of one entity: a delayed copy of the truth with orders by both stamps.

Filled by `store`, read by `search`. Pure: the moment and the delay of every write are given.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from math import gcd
from random import Random

from bridge.sandbox.copper.entities import Record

STAMPS = ("date_modified", "date_created")
Order = list[tuple[int, int]]
"""Sorted pairs of stamp and record id."""


class Index:
    """What search knows. Converted leads are known but in no order: plain searches do not see them."""

    def __init__(self) -> None:
        self.shown: dict[int, Record] = {}
        self.orders: dict[str, Order] = {stamp: [] for stamp in STAMPS}
        self._due: list[tuple[float, int, int, Record | None]] = []
        self._last_due: dict[int, float] = {}
        self._writes = 0

    def write(self, record_id: int, record: Record | None, *, at: float) -> None:
        """Let the version (None: the delete) show from `at` on, never before an earlier version of the same record."""
        at = max(at, self._last_due.get(record_id, at))
        self._last_due[record_id] = at
        self._writes += 1
        heapq.heappush(self._due, (at, self._writes, record_id, record))

    def catch_up(self, now: float) -> None:
        """Show all that is due."""
        while self._due and self._due[0][0] <= now:
            at, _, record_id, record = heapq.heappop(self._due)
            self._show(record_id, record)
            if self._last_due.get(record_id) == at:
                del self._last_due[record_id]

    def load(self, records: Iterable[Record]) -> None:
        """Show many new records at once."""
        self.shown.update((record["id"], record) for record in records)
        for stamp, order in self.orders.items():
            order[:] = sorted((record[stamp], record["id"]) for record in self.shown.values() if _plain(record))

    def between(self, stamp: str, least: float | None, most: float | None) -> tuple[int, int]:
        """Bounds of the slice of an order whose stamps lie within both bounds, inclusive."""
        order = self.orders[stamp]
        low = 0 if least is None else bisect_left(order, (least, -1))
        high = len(order) if most is None else bisect_left(order, (int(most) + 1, -1))
        return low, max(low, high)

    def _show(self, record_id: int, record: Record | None) -> None:
        before = self.shown.pop(record_id, None)
        if before is not None and _plain(before):
            for stamp, order in self.orders.items():
                del order[bisect_left(order, (before[stamp], record_id))]
        if record is None:
            return
        self.shown[record_id] = record
        if _plain(record):
            for stamp, order in self.orders.items():
                insort(order, (record[stamp], record_id))


def _plain(record: Record) -> bool:
    return record.get("converted_at") is None


def window(
    order: Order, bounds: tuple[int, int], *, start: int, count: int, descending: bool, ties: Random | None
) -> Iterator[int]:
    """Ids of one page of a slice. With `ties`, records of one second come in an order drawn anew for this answer."""
    low, high = bounds
    position, end = start, min(start + count, high - low)
    while position < end:
        at = high - 1 - position if descending else low + position
        first, last = _second(order, at)
        done = last - 1 - at if descending else at - first
        take = min(last - first - done, end - position)
        yield from _drawn(order[first:last], range(done, done + take), descending=descending, ties=ties)
        position += take


def _second(order: Order, at: int) -> tuple[int, int]:
    stamp = order[at][0]
    return bisect_left(order, (stamp, -1)), bisect_left(order, (stamp + 1, -1))


def _drawn(group: Sequence[tuple[int, int]], places: range, *, descending: bool, ties: Random | None) -> Iterator[int]:
    """The ids at `places` of a tie group: a random affine permutation costs nothing even for 100,000 ties."""
    size = len(group)
    if ties is None:
        yield from (group[size - 1 - place if descending else place][1] for place in places)
        return
    shift, step = ties.randrange(size), ties.randrange(size) or 1
    while gcd(step, size) != 1:
        step += 1
    yield from (group[(step * place + shift) % size][1] for place in places)
