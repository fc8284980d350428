"""Serving the status page: whole at `/`, then the sections that have changed at `/api/stream`, once a second at most.

Called by `bridge.web.internal`. Knows the browsers that watch, not what they are shown.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from bridge.web.page.document import document
from bridge.web.page.html import Element, html
from bridge.web.page.sections import sections

MOST_STREAMS = 20
EVERY_SECONDS = 1.0
"""Between two messages of a stream at least; what changes meanwhile goes together."""
QUIET_SECONDS = 10.0
"""A stream says at least so often that it lives: a page without a message for 30 s calls itself stale."""
STALLED_SECONDS = 15.0
"""A browser that takes nothing for so long is given up."""
AGAIN_MS = 2000
"""After how long a browser connects again."""
STATIC = Path(__file__).parent / "static"
STRICT = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Shown = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Made:
    """The page as it was at a moment: `now` in Unix seconds, `at` by the event loop's clock."""

    at: float
    now: float
    sections: Mapping[str, tuple[Element, str]]
    """By their keys, each as it is sent too."""


class Page:
    """The page and its streams. `status` and `history` give what is shown."""

    def __init__(self, status: Shown, history: Shown) -> None:
        self._status = status
        self._history = history
        self._streams = 0
        self._closing = asyncio.Event()
        self._made = Made(float("-inf"), 0.0, {})
        self._making = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Serve the page, and end its streams before anybody waits for them at the end."""
        app.router.add_get("/", self._page)
        app.router.add_get("/api/stream", self._stream)
        app.router.add_static("/static", STATIC)
        app.on_response_prepare.append(_strictly)
        app.on_shutdown.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        self._closing.set()

    async def _now(self) -> Made:
        """The page as it is: made once for all who look within half a second.

        Others get their turn between two sections: a loop that stands still for long makes commits look doubtful.
        """
        async with self._making:
            at = asyncio.get_running_loop().time()
            if at - self._made.at >= EVERY_SECONDS / 2:
                status, made = self._status(), {}
                for section in sections(status, self._history()):
                    made[section.attrib["id"]] = (section, html(section))
                    await asyncio.sleep(0)
                self._made = Made(at, status["now"], made)
            return self._made

    async def _page(self, _request: web.Request) -> web.Response:
        made = await self._now()
        text = document((section for section, _ in made.sections.values()), made.now)
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._streams >= MOST_STREAMS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_STREAMS} pages are watching already; close one\n")
        self._streams += 1
        try:
            async with sse_response(request, send_timeout=STALLED_SECONDS) as response:
                with contextlib.suppress(ConnectionResetError, TimeoutError):
                    await self._tell(request, response)
        finally:
            self._streams -= 1
        return response

    async def _tell(self, request: web.Request, response: EventSourceResponse) -> None:
        """All sections at first, then those that have changed, until the browser or the bridge goes."""
        told: dict[str, str] = {}
        told_at = float("-inf")
        while request.transport is not None and not self._closing.is_set():
            made = await self._now()
            changed = {key: text for key, (_, text) in made.sections.items() if told.get(key) != text}
            if changed or made.at - told_at >= QUIET_SECONDS:
                message = orjson.dumps({"now": made.now, "sections": changed}).decode()
                await response.send(message, retry=None if told else AGAIN_MS)
                told, told_at = {**told, **changed}, made.at
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._closing.wait()


async def _strictly(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(STRICT)
