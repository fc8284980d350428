"""The internal port: health, metrics, status and the page that shows it, for the cluster and its operator.

Knows nothing of what it shows: `bridge.app` gives it functions.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from bridge.web.page import Page


def internal(
    registry: CollectorRegistry,
    *,
    ready: Callable[[], bool],
    status: Callable[[], Mapping[str, Any]],
    history: Callable[[], Mapping[str, Any]],
) -> web.Application:
    """The application of the internal port. `/livez` answers while the event loop turns; `/readyz` asks `ready`.

    `status` is how things are, `history` what happened lately; the page shows both.
    """

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="not ready\n")

    def shown(what: Callable[[], Mapping[str, Any]]) -> Handler:
        async def show(_request: web.Request) -> web.Response:
            return web.Response(body=orjson.dumps(what()), content_type="application/json")

        return show

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/status", shown(status))
    app.router.add_get("/api/history", shown(history))
    app.router.add_get("/metrics", make_aiohttp_handler(registry))
    Page(status, history).add_to(app)
    return app
