"""The internal port: health, metrics, status and the page that shows it, for the cluster and its operator.

Knows nothing of what it shows: `bridge.app` gives it functions.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from bridge.policy.health import Verdict
from bridge.web.accounts import AccountsApi, add_routes
from bridge.web.page import Page


def internal(
    registry: CollectorRegistry,
    *,
    alive: Callable[[], Verdict],
    ready: Callable[[], Verdict],
    status: Callable[[], Mapping[str, Any]],
    history: Callable[[], Mapping[str, Any]],
    accounts: AccountsApi,
) -> web.Application:
    """The application of the internal port. While the event loop stands still no probe is answered, which fails it.

    The start-up probe asks what the liveness probe asks: a restore may take as long as it moves. `status` is how things
    are, `history` what happened lately; the page shows both. `accounts` lists them, and changes them.
    """

    async def livez(_request: web.Request) -> web.Response:
        return _answer(alive())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(ready())

    async def metrics(request: web.Request) -> web.Response:
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        # In a thread: of a thousand accounts it takes half a second, for which nothing is to stand still
        text = await asyncio.to_thread(encoder, registry)
        return web.Response(body=text, headers={"Content-Type": content_type})

    def shown(what: Callable[[], Mapping[str, Any]]) -> Handler:
        async def show(_request: web.Request) -> web.Response:
            return web.Response(body=orjson.dumps(what()), content_type="application/json")

        return show

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/startupz", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/api/status", shown(status))
    app.router.add_get("/api/history", shown(history))
    app.router.add_get("/metrics", metrics)
    add_routes(app, accounts)
    Page(status, history).add_to(app)
    return app


def _answer(verdict: Verdict) -> web.Response:
    status = HTTPStatus.OK if verdict.good else HTTPStatus.SERVICE_UNAVAILABLE
    return web.Response(status=status, text="".join(f"{line}\n" for line in verdict.told))
