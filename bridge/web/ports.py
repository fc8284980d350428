"""Listening on a port, and letting go of it."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

KEEPALIVE_SECONDS = 15.0
"""aiohttp's own default for AppRunner is an hour."""

LINGER_SECONDS = 1.0
"""How long a body is still read after its answer; aiohttp's own default of ten holds a stranger's connection open."""


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve the application while the context lasts; gives the port in use (0 asks for a free one)."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        shutdown_timeout=5.0,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
