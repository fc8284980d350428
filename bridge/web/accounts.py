"""Accounts on the internal port: for an operator's command line and the company's own back end.

Reading is free; deeds need the token of `server.internal.token`, and are refused where none is set: the port itself
knows nobody. Called by `internal`; the deeds are functions that `bridge.app` gives.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import orjson
from aiohttp import web


class Impossible(Protocol):
    """Why something cannot be done."""

    @property
    def why(self) -> str:
        """In words."""
        ...

    @property
    def known(self) -> bool:
        """Whether there is such an account."""
        ...


Deed = Callable[[str], Awaitable[dict[str, Any] | Impossible]]
"""Does something with an account, given its name."""


def add_routes(
    app: web.Application,
    accounts: Callable[[], list[dict[str, Any]]],
    deeds: Mapping[str, Deed],
    token: Callable[[], str | None],
) -> None:
    """`GET /api/accounts`, and `POST /api/accounts/<account>/<deed>` for whoever has the token."""

    async def ls(_request: web.Request) -> web.Response:
        return _json({"accounts": accounts()})

    async def do(request: web.Request) -> web.Response:
        refused = _unauthorized(token(), request.headers.get("Authorization", ""))
        if refused is not None:
            return refused
        answer = await deeds[request.match_info["deed"]](request.match_info["account"])
        if isinstance(answer, dict):
            return _json(answer)
        return _refusal(HTTPStatus.CONFLICT if answer.known else HTTPStatus.NOT_FOUND, answer.why)

    app.router.add_get("/api/accounts", ls)
    app.router.add_post(f"/api/accounts/{{account:[a-z0-9-]{{1,64}}}}/{{deed:{'|'.join(deeds)}}}", do)


def _unauthorized(wanted: str | None, given: str) -> web.Response | None:
    if wanted is None:
        return _refusal(HTTPStatus.FORBIDDEN, "set server.internal.token first: without it this is read-only")
    if not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
        return _refusal(HTTPStatus.UNAUTHORIZED, "needs the header Authorization: Bearer <server.internal.token>")
    return None


def _refusal(status: HTTPStatus, why: str) -> web.Response:
    return _json({"error": why}, status)


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
