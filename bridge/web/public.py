"""The public port: Copper's webhooks, the way of a customer who connects an account, and nothing else.

So an Ingress cannot expose more. Bounds what a stranger may send; what is in it is judged by the function it is given.
Knows no Copper words, no Kafka.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from bridge.web.connecting import Consent, add_routes

MAX_BODY_BYTES = 64 * 1024
"""A notification carries at most 30 ids and the old and new values of the changed fields."""

BODY_SECONDS = 5.0
"""aiohttp gives a request's body all the time in the world: a body never sent would hold its connection for ever."""

AT_ONCE = 64
"""Notifications that are being kept at once; what comes beyond is told to come again."""

Outcome = Callable[[str], None]
"""Is told how a request ended that was not even handed on: encoded, too-slow, too-large, overloaded."""

Receive = Callable[[str, Mapping[str, str], bytes], Awaitable[HTTPStatus]]
"""Takes account, headers and body of a notification; the answer's status. Anything below 300 means: durably kept."""


def public(
    receive: Receive,
    refused: Outcome = lambda _outcome: None,
    *,
    consent: Consent | None = None,
    body_seconds: float = BODY_SECONDS,
) -> web.Application:
    """The application of the public port. A body has `body_seconds` to arrive. `consent`: accounts can be connected."""
    turn = asyncio.Semaphore(AT_ONCE)

    def turned_down(outcome: str, status: HTTPStatus) -> web.Response:
        refused(outcome)
        answer = _answer(status)
        answer.force_close()
        return answer

    async def hook(request: web.Request) -> web.Response:
        if "Content-Encoding" in request.headers:  # a small body may unpack to a large one; Copper sends plain JSON
            return turned_down("encoded", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            async with asyncio.timeout(body_seconds):
                body = await request.read()
        except TimeoutError:
            return turned_down("too-slow", HTTPStatus.REQUEST_TIMEOUT)
        except web.HTTPRequestEntityTooLarge:
            return turned_down("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if turn.locked():
            return turned_down("overloaded", HTTPStatus.SERVICE_UNAVAILABLE)
        async with turn:
            return _answer(await receive(request.match_info["account"], request.headers, body))

    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/webhooks/copper/{account:[a-z0-9-]{1,64}}", hook)
    if consent is not None:
        add_routes(app, consent)
    return app


def _answer(status: HTTPStatus) -> web.Response:
    return web.Response(status=status, text=f"{status.phrase}\n")
