"""Accounts on the internal port: for an operator's command line and the company's own back end.

Reading is free; deeds need the token of `server.token`, and are refused where none is set: the port itself
knows nobody. Called by `internal`; the deeds are functions that `bridge.app` gives.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class AccountsApi:
    """What there is to show and to do. All are asked each time: while Kafka is still waited for, there is nothing."""

    accounts: Callable[[], list[dict[str, Any]]]
    deeds: Callable[[], Mapping[str, Deed]]
    token: Callable[[], str | None]


def add_routes(app: web.Application, api: AccountsApi) -> None:
    """`GET /api/accounts`, and `POST /api/accounts/<account>/<deed>` for whoever has the token."""

    async def ls(_request: web.Request) -> web.Response:
        return _json({"accounts": api.accounts()})

    async def do(request: web.Request) -> web.Response:
        refused = _unauthorized(api.token(), request.headers.get("Authorization", ""))
        if refused is not None:
            return refused
        deeds, name = api.deeds(), request.match_info["deed"]
        if not deeds:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Kafka is still waited for: ask again")
        if name not in deeds:
            return _refusal(HTTPStatus.NOT_FOUND, f"there is only {', '.join(deeds)}")
        answer = await deeds[name](request.match_info["account"])
        if isinstance(answer, dict):
            return _json(answer)
        return _refusal(HTTPStatus.CONFLICT if answer.known else HTTPStatus.NOT_FOUND, answer.why)

    app.router.add_get("/api/accounts", ls)
    app.router.add_post("/api/accounts/{account:[a-z0-9-]{1,64}}/{deed:[a-z]{1,20}}", do)


def _unauthorized(wanted: str | None, given: str) -> web.Response | None:
    if wanted is None:
        return _refusal(HTTPStatus.FORBIDDEN, "set server.token first: without it this is read-only")
    if not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
        return _refusal(HTTPStatus.UNAUTHORIZED, "needs the header Authorization: Bearer <server.token>")
    return None


def _refusal(status: HTTPStatus, why: str) -> web.Response:
    return _json({"error": why}, status)


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
