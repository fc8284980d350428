"""Waiting for a place: the asyncio side of `bridge.policy.turns`, which decides whose turn it is.

One `Turns` for each account of a session, shared by all that is done for its commands; and one for the connections to
Copper, shared by all accounts of the process, whose kinds are accounts. Knows no command and no call.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from bridge.policy.sightings import Lane
from bridge.policy.turns import HALVES, Places


class Turns:
    """Places, as those who want one await it."""

    def __init__(self, places: int, shares: Mapping[Lane, int] = HALVES) -> None:
        self._places: Places[asyncio.Future[None]] = Places(places, shares)

    def before(self, lane: Lane, kind: str) -> int:
        """How many are certain to be called before one that would come now, if nobody gives up."""
        return self._places.before(lane, kind)

    @asynccontextmanager
    async def turn(self, lane: Lane, kind: str, seconds: float = math.inf) -> AsyncGenerator[bool]:
        """A place for as long as the block takes; False, and none, when it did not come within so many seconds."""
        granted = await self._granted(lane, kind, seconds)
        try:
            yield granted
        finally:
            if granted:
                self._places.give_back(lane)
                self._serve()

    async def _granted(self, lane: Lane, kind: str, seconds: float) -> bool:
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._places.ask(lane, kind, ticket)
        self._serve()
        try:
            if not ticket.done():
                await asyncio.wait([ticket], timeout=None if math.isinf(seconds) else seconds)
        except asyncio.CancelledError:
            self._give_up(lane, kind, ticket)
            raise
        if ticket.done():
            return True
        self._give_up(lane, kind, ticket)
        return False

    def _give_up(self, lane: Lane, kind: str, ticket: "asyncio.Future[None]") -> None:
        """Leave the line, or the place that came at the same moment."""
        if ticket.done():
            self._places.give_back(lane)
            self._serve()
        self._places.leave(lane, kind, ticket)

    def _serve(self) -> None:
        while ticket := self._places.take():
            ticket.set_result(None)
