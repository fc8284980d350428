"""The public port: Copper's webhooks, and nothing else, so that an Ingress cannot expose more.

Bounds what a stranger may send; what is in it is judged by the function it is given. Knows no Copper words, no Kafka.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

MAX_BODY_BYTES = 64 * 1024
"""A notification carries at most 30 ids and the old and new values of the changed fields."""

BODY_SECONDS = 5.0
"""aiohttp gives a request's body all the time in the world: a body never sent would hold its connection for ever."""

Receive = Callable[[str, Mapping[str, str], bytes], Awaitable[HTTPStatus]]
"""Takes account, headers and body of a notification; the answer's status. Anything below 300 means: durably kept."""


def public(receive: Receive) -> web.Application:
    """The application of the public port."""

    async def hook(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _answer(HTTPStatus.REQUEST_TIMEOUT)
        return _answer(await receive(request.match_info["account"], request.headers, body))

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/webhooks/copper/{account:[a-z0-9-]{1,64}}", hook)
    return app


def _answer(status: HTTPStatus) -> web.Response:
    return web.Response(status=status, text=f"{status.phrase}\n")
