"""The public address, asked from here: for `check`. Called by `bridge.app.checking`; judges nothing."""

import asyncio
import socket
from urllib.parse import urlsplit

import aiohttp

from bridge.policy.checks import Reached


async def reach(url: str, path: str, *, seconds: float) -> Reached:
    """Resolve the address and GET `path` there, in so many seconds."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(seconds):
            rows = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as problem:
        return Reached((), problem=_why(problem, seconds))
    addresses = tuple(sorted({str(row[4][0]) for row in rows}))
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url + path, allow_redirects=False) as answer,
        ):
            return Reached(addresses, answer.status)
    except (OSError, aiohttp.ClientError, TimeoutError) as problem:
        return Reached(addresses, problem=_why(problem, seconds))


def _why(problem: Exception, seconds: float) -> str:
    return f"nothing came within {seconds:g} s" if isinstance(problem, TimeoutError) else str(problem)
