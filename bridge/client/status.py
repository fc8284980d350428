"""The status of a running bridge, as its internal port tells it.

Called by `copper-bridge status`. Knows an address, nothing of what is told.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession

PATIENCE_SECONDS = 5.0


class NoStatus(Exception):
    """Nobody tells a status at that address; the text is one line for the user."""


async def status(url: str) -> Mapping[str, Any]:
    """What `/api/status` of the bridge at `url` says now. Raises `NoStatus`."""
    try:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            ClientSession() as session,
            session.get(f"{url.rstrip('/')}/api/status") as answer,
        ):
            told: Any = orjson.loads(await answer.read())
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        raise NoStatus(f"no bridge tells its status at {url}: {type(error).__name__}") from None
    if not isinstance(told, dict) or "accounts" not in told:
        raise NoStatus(f"what answers at {url} is no bridge; its internal port is meant")
    return told
