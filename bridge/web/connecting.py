"""The two steps of OAuth that a customer's browser takes on the public port, and the page it ends on.

Called by `public`. Knows how an outcome is said, not how it comes about; shows nothing that a request brought along but
the account's name, which a signature vouches for. There is no cookie: the consent comes as a form from Copper's page,
with which no browser would send one that is safe.
"""

import asyncio
import base64
import hashlib
import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from bridge.policy.linking import Refused

FORM_SECONDS = 5.0
"""A form that is not there by then is not waited for."""
FORM_BYTES = 16 * 1024
FORM_MEMBERS = 16
AT_ONCE = 16
"""Steps that are taken at once; what comes beyond is told to come again. No stranger's comes so far."""
_AGAIN = "Open your link again. If it has expired, ask whoever sent it for a new one."
_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;background:Canvas;color:CanvasText}"
    "main{max-width:34rem;margin:15vh auto;padding:0 1.5rem}"
    "h1{font-size:1.6rem;line-height:1.25;overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title><link rel="icon" href="data:,">
<style>{style}</style></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What a customer reads at the end."""

    status: HTTPStatus
    title: str
    text: str


LATER = Page(HTTPStatus.SERVICE_UNAVAILABLE, "Not possible at present", "Open your link again in some minutes.")
NO_FORM = Page(HTTPStatus.BAD_REQUEST, "This is not an answer of Copper's", _AGAIN)
BY_HAND = Page(HTTPStatus.METHOD_NOT_ALLOWED, "There is nothing to see here", f"Copper's answer arrives here. {_AGAIN}")
PAGES = {
    Refused.FORGED: Page(
        HTTPStatus.FORBIDDEN,
        "This link is not complete",
        "It may have been cut off. Ask whoever sent it for a new one.",
    ),
    Refused.EXPIRED: Page(HTTPStatus.GONE, "This link has expired", "Ask whoever sent it for a new one."),
    Refused.TOO_LATE: Page(HTTPStatus.GONE, "That took too long", _AGAIN),
    Refused.UNKNOWN_STATE: Page(
        HTTPStatus.BAD_REQUEST,
        "Nobody is waiting for this answer",
        f"It was given already, or a newer link was opened. If you have not seen that Copper is connected: {_AGAIN}",
    ),
    Refused.DENIED: Page(
        HTTPStatus.OK,
        "Not connected",
        "You did not allow the connection, and nothing was changed. You may close this page.",
    ),
    Refused.WRONG_CODE: Page(HTTPStatus.BAD_GATEWAY, "Copper did not accept the answer", _AGAIN),
    Refused.COPPER_AWAY: Page(
        HTTPStatus.BAD_GATEWAY, "Copper does not answer at present", "Open your link again in some minutes."
    ),
    Refused.KAFKA_AWAY: LATER,
}


class Consent(Protocol):
    """The steps; `bridge.app.connecting` takes them."""

    async def begin(self, account: str, expires: str, signature: str) -> str | Refused:
        """Where the customer is sent."""
        ...

    async def finish(self, state: str, code: str | None) -> str | Refused:
        """The account that is connected now."""
        ...


def add_routes(app: web.Application, consent: Consent, *, form_seconds: float = FORM_SECONDS) -> None:
    """`GET /connect/<account>` and `POST /oauth/callback`. A form has `form_seconds` to arrive."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def taken(step: Callable[[], Awaitable[str | Refused]]) -> str | Page:
        if turn.locked():
            return LATER
        async with turn:
            outcome = await step()
        return PAGES[outcome] if isinstance(outcome, Refused) else outcome

    async def connect(request: web.Request) -> web.Response:
        account, query = request.match_info["account"], request.query
        where = await taken(lambda: consent.begin(account, query.get("expires", ""), query.get("signature", "")))
        if isinstance(where, Page):
            return _shown(where)
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={**_HEADERS, "Location": where})

    async def callback(request: web.Request) -> web.Response:
        form = await _form(request, form_seconds)
        if form is None:
            answer = _shown(NO_FORM)
            answer.force_close()
            return answer
        code = None if "error" in form else form.get("code")
        account = await taken(lambda: consent.finish(form.get("state", ""), code))
        return _shown(account if isinstance(account, Page) else _connected(account))

    async def by_hand(_request: web.Request) -> web.Response:
        answer = _shown(BY_HAND)
        answer.headers["Allow"] = "POST"
        return answer

    app.router.add_get("/connect/{account:[a-z0-9-]{1,64}}", connect, allow_head=False)  # a look must begin nothing
    app.router.add_post("/oauth/callback", callback)
    app.router.add_get("/oauth/callback", by_hand)


async def _form(request: web.Request, seconds: float) -> dict[str, str] | None:
    """The members of a form; None when it is none, or too large, or does not come."""
    if request.content_type != "application/x-www-form-urlencoded" or (request.content_length or 0) > FORM_BYTES:
        return None
    try:
        async with asyncio.timeout(seconds):
            raw = await request.content.read(FORM_BYTES + 1)
            while len(raw) <= FORM_BYTES and not request.content.at_eof():
                raw += await request.content.read(FORM_BYTES + 1 - len(raw))
    except TimeoutError:
        return None
    try:
        members = parse_qsl(raw.decode("ascii"), max_num_fields=FORM_MEMBERS) if len(raw) <= FORM_BYTES else []
    except ValueError:
        return None
    return dict(members) or None


def _connected(account: str) -> Page:
    return Page(HTTPStatus.OK, f"Copper is connected: {account}", "You may close this page.")


def _shown(page: Page) -> web.Response:
    text = _PAGE.format(title=html.escape(page.title), text=html.escape(page.text), style=_STYLE)
    return web.Response(status=page.status, text=text, content_type="text/html", headers=_HEADERS)
