"""Waiting for the budget: the asyncio side of `bridge.policy.budget`, which decides who may call when.

One `Allowance` per account, shared by all who call for it. Knows no call; keeps no time but the loop's.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from bridge.policy.budget import Budget
from bridge.policy.sightings import Lane
from bridge.policy.turns import Rounds

LONGEST_HOLD_SECONDS = 600.0
"""A Retry-After beyond this is not believed."""


class Allowance:
    """An account's budget, as those who want to call await it. The budget's clock is the event loop's."""

    def __init__(self, budget: Budget, waited: Callable[[Lane, float], None] = lambda _lane, _seconds: None) -> None:
        """`waited` is told how long each call has waited for its permission."""
        self._budget = budget
        self._waited = waited
        self._waiting: dict[Lane, Rounds[asyncio.Future[None]]] = {lane: Rounds() for lane in Lane}
        self._ahead: deque[tuple[Lane, asyncio.Future[None]]] = deque()
        self._held = False
        self._held_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def grant(self, lane: Lane, kind: str) -> None:
        """Wait for the permission to make one call. Within a lane kinds of records take turns.

        A permission that arrives while the caller is being cancelled is spent: one call fewer, never one too many.
        """
        loop = asyncio.get_running_loop()
        began, turn = loop.time(), loop.create_future()
        self._waiting[lane].add(kind, turn)
        self._serve()
        try:
            await turn
        finally:
            self._waiting[lane].leave(kind, turn)
        self._waited(lane, loop.time() - began)

    async def grant_ahead(self, lane: Lane) -> None:
        """The same before all others, held or not: for the call that finds out whether theirs can be made."""
        place = (lane, asyncio.get_running_loop().create_future())
        self._ahead.append(place)
        self._serve()
        try:
            await place[1]
        finally:
            if place in self._ahead:
                self._ahead.remove(place)

    def hold(self) -> None:
        """Grant nobody anything, but those who go ahead, until `release`."""
        self._held = True

    def release(self) -> None:
        """Go on where `hold` stopped."""
        self._held = False
        self._serve()

    def soonest(self, ahead: int) -> float:
        """Seconds in which no call can be granted that so many others come before, whatever happens."""
        now = asyncio.get_running_loop().time()
        return max(self._budget.soonest(now, ahead), self._held_until) - now

    def forfeit(self) -> None:
        """The account is taken over: what was saved meanwhile may have been spent by its owner before."""
        self._budget.forfeit(asyncio.get_running_loop().time())

    def recount(self) -> None:
        """A call that was granted some time ago goes out only now, beside those that are granted now."""
        self._budget.recount(asyncio.get_running_loop().time())

    def penalize(self, seconds: float | None) -> None:
        """Copper said 429, and perhaps how many seconds to wait."""
        now = asyncio.get_running_loop().time()
        self._budget.penalize(now)
        if seconds is not None:
            self._held_until = max(self._held_until, now + min(seconds, LONGEST_HOLD_SECONDS))

    def used(self) -> dict[Lane, int]:
        """Calls of the last minute by lane."""
        return self._budget.used(asyncio.get_running_loop().time())

    def waiting(self) -> dict[Lane, int]:
        """How many wait in each lane."""
        return {lane: len(turns) for lane, turns in self._waiting.items()}

    def _serve(self) -> None:
        """Grant what may be granted now, and come back when the next may be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._ahead or (lanes := self._lanes()):
            now = loop.time()
            ready = max(self._budget.ready_at(now), self._held_until)
            if ready > now:
                self._timer = loop.call_at(ready, self._serve)
                return
            lane, turn = self._ahead.popleft() if self._ahead else self._next(lanes)
            if not turn.done():
                self._budget.take(now, lane)
                turn.set_result(None)

    def _lanes(self) -> list[Lane]:
        """Those that have somebody waiting who may be served."""
        return [] if self._held else [lane for lane, turns in self._waiting.items() if turns]

    def _next(self, lanes: list[Lane]) -> tuple[Lane, "asyncio.Future[None]"]:
        lane = self._budget.choose(lanes)
        return lane, self._waiting[lane].take()
