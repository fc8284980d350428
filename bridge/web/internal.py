"""The internal port: health, metrics and status, for the cluster and its operator.

Knows nothing of what it shows: `bridge.app` gives it functions.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler


def internal(
    registry: CollectorRegistry, *, ready: Callable[[], bool], status: Callable[[], Mapping[str, Any]]
) -> web.Application:
    """The application of the internal port. `/livez` answers while the event loop turns; `/readyz` asks `ready`."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="not ready\n")

    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(status()), content_type="application/json")

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/status", show)
    app.router.add_get("/metrics", make_aiohttp_handler(registry))
    return app
