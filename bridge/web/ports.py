"""Listening on a port, and letting go of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import http_exceptions, web

from bridge.telemetry import logs

KEEPALIVE_SECONDS = 15.0
"""aiohttp's own default for AppRunner is an hour."""

LINGER_SECONDS = 1.0
"""How long a body is still read after its answer; aiohttp's own default of ten holds a stranger's connection open."""


@contextlib.asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    most: int | None = None,
    refused: Callable[[], None] = lambda: None,
    keepalive: float = KEEPALIVE_SECONDS,
    unexpected: Callable[[BaseException], None] = lambda _problem: None,
) -> AsyncIterator[int]:
    """Serve the application while the context lasts; gives the port in use (0 asks for a free one).

    No more than `most` connections are held at once: further ones are closed as they come, and `refused` is told of
    each. A connection that is idle, or whose headers do not come to an end, is closed after `keepalive` seconds.
    `unexpected` is told of an error of our own, which is answered with 500.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        # aiohttp's own prints the malformed line of a malformed request: it may be a secret or somebody's data
        logger=logs.passing_on(_ours(unexpected)),
        keepalive_timeout=keepalive,
        lingering_time=LINGER_SECONDS,
        auto_decompress=False,
        shutdown_timeout=5.0,
    )
    await runner.setup()
    listener: asyncio.Server | None = None
    try:
        listener = await asyncio.get_running_loop().create_server(_door(runner, most, refused), host, port)
        yield int(listener.sockets[0].getsockname()[1])
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def _ours(unexpected: Callable[[BaseException], None]) -> Callable[[BaseException], None]:
    """Passes errors of our own on, and nothing that a stranger has caused."""

    def tell(problem: BaseException) -> None:
        if not isinstance(problem, http_exceptions.HttpProcessingError | ConnectionError):
            unexpected(problem)

    return tell


def _door(runner: web.AppRunner, most: int | None, refused: Callable[[], None]) -> Callable[[], asyncio.BaseProtocol]:
    """Makes a protocol for every connection that comes."""
    server = runner.server
    if server is None:
        raise RuntimeError("set the runner up first")
    return lambda: _Door(server, most, refused)


class _Door(asyncio.Protocol):
    """Hands a connection to the application, or closes it.

    Decides when the connection is made: protocols are made for a whole backlog of connections before the first of them
    is counted.
    """

    def __init__(self, server: web.Server, most: int | None, refused: Callable[[], None]) -> None:
        self._server = server
        self._most = most
        self._refused = refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._most is None or len(self._server.connections) < self._most:
            protocol = self._server()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            return
        self._refused()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
