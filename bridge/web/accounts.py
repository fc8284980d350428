"""Accounts on the internal port: for an operator's command line and the company's own back end.

Reading is free; deeds need the token of `server.internal.token`, and are refused where none is set: the port itself
knows nobody. Called by `internal`; the deeds are functions that `bridge.app` gives.
"""

import hmac
from collections.abc import Awaitable, Callable
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


Answer = dict[str, Any] | Impossible


class Administering(Protocol):
    """The deeds; see `bridge.app.administering`."""

    def accounts(self) -> list[dict[str, Any]]:
        """All of them."""
        ...

    def connect(self, account: str) -> Answer:
        """A link."""
        ...

    async def pause(self, account: str) -> Answer:
        """Pause."""
        ...

    async def resume(self, account: str) -> Answer:
        """Resume."""
        ...

    async def disconnect(self, account: str, *, forget: bool) -> Answer:
        """Disconnect."""
        ...


def add_routes(app: web.Application, deeds: Administering, token: Callable[[], str | None]) -> None:
    """`GET /api/accounts` and `POST /api/accounts/<account>/connect|pause|resume|disconnect`."""

    async def ls(_request: web.Request) -> web.Response:
        return _json({"accounts": deeds.accounts()})

    async def connect(request: web.Request) -> Answer:
        return deeds.connect(request.match_info["account"])

    async def pause(request: web.Request) -> Answer:
        return await deeds.pause(request.match_info["account"])

    async def resume(request: web.Request) -> Answer:
        return await deeds.resume(request.match_info["account"])

    async def disconnect(request: web.Request) -> Answer:
        return await deeds.disconnect(request.match_info["account"], forget=request.query.get("forget") == "true")

    def guarded(deed: Callable[[web.Request], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def do(request: web.Request) -> web.Response:
            wanted = token()
            if wanted is None:
                return _refusal(HTTPStatus.FORBIDDEN, "set server.internal.token first: without it this is read-only")
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
                return _refusal(
                    HTTPStatus.UNAUTHORIZED,
                    "the header Authorization: Bearer <server.internal.token> is missing or wrong",
                )
            answer = await deed(request)
            if isinstance(answer, dict):
                return _json(answer)
            return _refusal(HTTPStatus.CONFLICT if answer.known else HTTPStatus.NOT_FOUND, answer.why)

        return do

    app.router.add_get("/api/accounts", ls)
    for name, deed in (("connect", connect), ("pause", pause), ("resume", resume), ("disconnect", disconnect)):
        app.router.add_post(f"/api/accounts/{{account:[a-z0-9-]{{1,64}}}}/{name}", guarded(deed))


def _refusal(status: HTTPStatus, why: str) -> web.Response:
    return _json({"error": why}, status)


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
