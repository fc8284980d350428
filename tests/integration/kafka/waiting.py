"""Waiting for a fact that nothing announces."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 30.0


async def until(fact: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Return once the fact is so; TimeoutError when it never is."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - clients and brokers send no event for it
            await asyncio.sleep(0.02)
