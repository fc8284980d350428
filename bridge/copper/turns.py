"""Whose turn it is to use one of the connections to Copper, which all accounts share: what `client` asks of others.

`bridge.app` gives the turns of `shard.turns`; a command line that calls for one account needs none.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bridge.policy.sightings import Lane, Trouble, Why

Turn = Callable[[Lane, str, float], AbstractAsyncContextManager[bool]]
"""A connection while the block lasts, for a lane and an account; False when there was none within so many seconds."""

LATE_SECONDS = 1.0
"""A call that waited longer for its connection counts when it goes out: else those held up would come on top."""

TOO_LATE = Trouble(Why.EXPIRED, "the deadline passed before a connection was free")


@asynccontextmanager
async def at_once(_lane: Lane, _account: str, _seconds: float) -> AsyncGenerator[bool]:
    """Nobody waits here."""
    yield True
