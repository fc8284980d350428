"""The two steps of OAuth that a customer's browser takes on the public port, and the page it ends on.

Called by `public`. Knows how an outcome is said, not how it comes about; shows nothing that a request brought along but
the account's name, which the link's signature vouches for.
"""

import asyncio
import html
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from bridge.policy.linking import Refused

FORM_SECONDS = 5.0
"""A form that is not there by then is not waited for."""
_AGAIN = "Ask whoever sent you the link for a new one."
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What a customer reads at the end."""

    status: HTTPStatus
    title: str
    text: str


PAGES = {
    Refused.FORGED: Page(HTTPStatus.FORBIDDEN, "This link is not complete", f"It may have been cut off. {_AGAIN}"),
    Refused.EXPIRED: Page(HTTPStatus.GONE, "This link has expired", _AGAIN),
    Refused.UNKNOWN_STATE: Page(
        HTTPStatus.BAD_REQUEST,
        "Nobody is waiting for this answer",
        f"It was given already, or a newer link was opened, or too much time has passed. {_AGAIN}",
    ),
    Refused.DENIED: Page(
        HTTPStatus.OK,
        "Not connected",
        "You did not allow the connection, and nothing was changed. You may close this page.",
    ),
    Refused.WRONG_CODE: Page(
        HTTPStatus.BAD_GATEWAY, "Copper did not accept the answer", f"Nothing was changed. {_AGAIN}"
    ),
    Refused.COPPER_AWAY: Page(
        HTTPStatus.BAD_GATEWAY,
        "Copper does not answer at present",
        "Nothing was changed. Open your link again in some minutes.",
    ),
    Refused.KAFKA_AWAY: Page(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not possible at present",
        "Nothing was changed. Open your link again in some minutes.",
    ),
}


class Consent(Protocol):
    """The steps; `bridge.app.connecting` takes them."""

    async def begin(self, account: str, expires: str, signature: str) -> str | Refused:
        """Where the customer is sent."""
        ...

    async def finish(self, state: str, code: str | None) -> str | Refused:
        """The account that is connected now."""
        ...


def add_routes(app: web.Application, consent: Consent) -> None:
    """`GET /connect/<account>` and `POST /oauth/callback`."""

    async def connect(request: web.Request) -> web.Response:
        account, query = request.match_info["account"], request.query
        where = await consent.begin(account, query.get("expires", ""), query.get("signature", ""))
        if isinstance(where, Refused):
            return _shown(PAGES[where])
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={**_HEADERS, "Location": where})

    async def callback(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(FORM_SECONDS):
                form = await request.post()
        except TimeoutError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        state, code = form.get("state"), form.get("code")
        account = await consent.finish(
            state if isinstance(state, str) else "", code if isinstance(code, str) and "error" not in form else None
        )
        return _shown(PAGES[account] if isinstance(account, Refused) else _connected(account))

    app.router.add_get("/connect/{account:[a-z0-9-]{1,64}}", connect)
    app.router.add_post("/oauth/callback", callback)


def _connected(account: str) -> Page:
    return Page(HTTPStatus.OK, f"Copper is connected: {account}", "You may close this page.")


def _shown(page: Page) -> web.Response:
    text = _PAGE.format(title=html.escape(page.title), text=html.escape(page.text))
    return web.Response(status=page.status, text=text, content_type="text/html", headers=_HEADERS)
