"""Room for pages: how many of them a process holds at once, over all accounts.

A page of 200 records takes about a megabyte from its answer to its commit. When a thousand accounts are read for the
first time all their entities want one in the same minute, and the ledgers take them one after the other. So a scan
takes a place once the budget has granted its call, and leaves it when its page is committed. Each lane has places of
its own: polls do not wait for the snapshots of others. Made once by `bridge.app`; used by `shard.scanning`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.policy.sightings import Lane

MOST_PAGES = 32
"""Of each lane: more than one core can judge while the next are on their way."""


class Room:
    """The places that all scans of a process share."""

    def __init__(self, places: int = MOST_PAGES) -> None:
        self._free = defaultdict[Lane, asyncio.Semaphore](lambda: asyncio.Semaphore(places))

    @contextmanager
    def place(self, lane: Lane) -> Iterator["Place"]:
        """A place to be taken, and left in any case."""
        place = Place(self._free[lane])
        try:
            yield place
        finally:
            place.leave()


class Place:
    """Room for one page."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._taken = False

    async def take(self) -> None:
        """Wait until there is room."""
        await self._free.acquire()
        self._taken = True

    def leave(self) -> None:
        """Make room for others, if it was taken."""
        if self._taken:
            self._taken = False
            self._free.release()
