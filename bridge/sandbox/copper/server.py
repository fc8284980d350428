"""HTTP for the double: who calls, whether the limits let it pass, which fault strikes, and the answer.

Started by `double`. The order is Copper's as far as it is known: credentials, rate, then the route.
"""

import asyncio
import socket
import struct
import time
import uuid
from collections.abc import Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.sandbox.copper import control, oauth, routes
from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.answers import Answer, envelope, html
from bridge.sandbox.copper.faults import MESSAGES, Fault
from bridge.sandbox.copper.limits import Call

if TYPE_CHECKING:
    from bridge.sandbox.copper.double import CopperDouble

PREFIX = "/developer_api/v1"
MAX_BODY = 10 * 2**20
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing the socket sends a reset."""


def application(copper: "CopperDouble") -> web.Application:
    """Copper's API, its OAuth endpoints and the control interface."""
    app = web.Application(client_max_size=MAX_BODY)

    async def call(request: web.Request) -> web.StreamResponse:
        return await Exchange(copper, request).answer()

    async def authorize(request: web.Request) -> web.Response:
        return _authorize(copper, request.query)

    async def answered(request: web.Request) -> web.Response:
        return _answered(copper, {name: str(value) for name, value in (await request.post()).items()})

    async def token(request: web.Request) -> web.StreamResponse:
        return await _faulty_token(copper, request)

    app.router.add_route("*", PREFIX + "/{path:.*}", call)
    app.router.add_get("/oauth/authorize", authorize)
    app.router.add_post("/oauth/authorize", answered)
    app.router.add_post(oauth.TOKEN_PATH, token)
    control.add_routes(app, copper)
    return app


def _authorize(copper: "CopperDouble", query: Mapping[str, str]) -> web.Response:
    asked = oauth.asked(copper.oauth, query, copper.knobs.redirect_uri)
    if asked is None or query.get("response_type") != "code" or query.get("scope") != oauth.SCOPE:
        return oauth.refused()
    if copper.knobs.asks_consent:
        return oauth.question(asked, copper.accounts)
    return oauth.granted(copper.oauth, asked, query.get("account", next(iter(copper.accounts))))


def _answered(copper: "CopperDouble", form: dict[str, str]) -> web.Response:
    asked = oauth.asked(copper.oauth, form, copper.knobs.redirect_uri)
    if asked is None or form.get("account") not in copper.accounts:
        return oauth.refused()
    allowed = form.get("answer") == "allow"
    return oauth.granted(copper.oauth, asked, form["account"]) if allowed else oauth.denied(asked)


async def _faulty_token(copper: "CopperDouble", request: web.Request) -> web.StreamResponse:
    """The token endpoint with its faults: `status`, `reset`, `hang` and `slow`."""
    form, body = {name: str(value) for name, value in (await request.post()).items()}, await request.read()
    fault = copper.faults.next(method="POST", path=oauth.TOKEN_PATH, account="", body=body)
    if fault is None:
        return _token(copper, form)
    answer = _token(copper, form) if fault.when == "after" else None
    if fault.kind == "status":
        refusal = fault.answer()
        return web.Response(status=refusal.status, body=refusal.body, content_type=refusal.content_type)
    if fault.kind != "reset":
        await _pause(copper, fault.seconds)
    return answer or _token(copper, form) if fault.kind == "slow" else _reset(request)


async def _pause(copper: "CopperDouble", seconds: float | None) -> None:
    """Wait, but not beyond the end of the double."""
    try:
        async with asyncio.timeout(seconds):
            await copper.closing.wait()
    except TimeoutError:
        pass


def _reset(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        request.transport.abort()
    return web.Response()


def _token(copper: "CopperDouble", form: dict[str, str]) -> web.Response:
    account = copper.oauth.redeem(form) if form.get("grant_type") == "authorization_code" else None
    if account is None:
        return web.json_response({"error": "invalid_grant"}, status=400)
    token = copper.account(account).new_token()
    return web.json_response({"access_token": token, "token_type": "Bearer", "scope": oauth.SCOPE})


class Exchange:
    """One call from request to answer."""

    def __init__(self, copper: "CopperDouble", request: web.Request) -> None:
        self.copper = copper
        self.request = request
        self.started = time.monotonic()
        self.path = "/" + request.match_info["path"]
        self.route = routes.find(request.method, self.path)
        self.account = self._caller()
        self.body = b""

    async def answer(self) -> web.StreamResponse:
        """Log the call, then answer it."""
        self.body = await self.request.read()
        name = self.account.name if self.account else None
        template = self.route.template if self.route else self.path
        self.call = Call(
            len(self.copper.calls) + 1, self.copper.clock(), name, self.request.method, self.path, template
        )
        self.copper.calls.append(self.call)
        if self.account is None or self.account.config.revoked:
            return self._send(envelope(401, MESSAGES[401]))
        if refusal := self._limited(self.account):
            return self._send(refusal)
        fault = self.copper.faults.next(
            method=self.request.method, path=self.path, account=self.account.name, body=self.body
        )
        return self._send(self._apply()) if fault is None else await self._play(fault)

    def _caller(self) -> Account | None:
        headers = self.request.headers
        accounts = self.copper.accounts.values()
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            latest = self.copper.bearers.get(token)  # of many accounts it is the same one as before
            if latest is None or not latest.admits_token(token):
                latest = next((account for account in accounts if account.admits_token(token)), None)
            if latest is not None:
                self.copper.bearers[token] = latest
            return latest
        key, email = headers.get("X-PW-AccessToken", ""), headers.get("X-PW-UserEmail", "")
        if headers.get("X-PW-Application") != "developer_api":
            return None
        return next((account for account in accounts if account.admits_key(key, email)), None)

    def _limited(self, account: Account) -> Answer | None:
        knobs, now = self.copper.knobs, self.copper.clock()
        bulk = self.route is not None and self.route.bulk
        if bulk and not account.second.admit(now, knobs.bulk_per_second):
            return self._too_many()
        return None if account.minute.admit(now, knobs.calls_per_minute) else self._too_many()

    def _too_many(self) -> Answer:
        knobs = self.copper.knobs
        headers = {} if knobs.retry_after is None else {"Retry-After": str(knobs.retry_after)}
        text = MESSAGES[429]
        shaped = {"json": envelope(429, text), "empty": Answer(429), "html": html(429, text)}[knobs.rate_body]
        return Answer(429, shaped.body, headers, shaped.content_type)

    def _apply(self) -> Answer:
        """Carry the call out, and note what it changed."""
        if self.account is None:
            raise RuntimeError("a call without an account is never carried out")
        before = len(self.account.effects)
        found = routes.answer(self.route, self.account, self.body, dict(self.request.query))
        self.call.effects = tuple(effect.number for effect in self.account.effects[before:] if effect.by == "api")
        return found

    async def _play(self, fault: Fault) -> web.StreamResponse:
        self.call.fault = f"{fault.kind} {fault.when}"
        if fault.kind == "slow":
            await _pause(self.copper, fault.seconds)
            return self._send(self._apply())
        if fault.kind == "late":
            self.copper.later(self._apply_late(fault.seconds))
            return await self._hang(None)
        if fault.kind == "cut":
            return await self._cut(self._apply())
        if fault.when == "after":
            self._apply()
        if fault.kind == "status":
            return self._send(fault.answer())
        return _reset(self.request) if fault.kind == "reset" else await self._hang(fault.seconds)

    async def _apply_late(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._apply()

    async def _hang(self, seconds: float | None) -> web.StreamResponse:
        await _pause(self.copper, seconds)
        return _reset(self.request)

    async def _cut(self, found: Answer) -> web.StreamResponse:
        """Promise the whole body and send half."""
        self.call.status = found.status
        response = web.StreamResponse(status=found.status, headers=self._headers(found))
        response.content_length = len(found.body)
        await response.prepare(self.request)
        await response.write(found.body[: len(found.body) // 2])
        if self.request.transport is not None:
            self.request.transport.close()
        return response

    def _send(self, found: Answer) -> web.Response:
        self.call.status = found.status
        transport = self.request.transport
        if transport is not None and not transport.is_closing():
            self.call.answered = self.copper.clock()
        return web.Response(status=found.status, body=found.body, headers=self._headers(found))

    def _headers(self, found: Answer) -> dict[str, str]:
        return {
            "Date": formatdate(self.copper.clock(), usegmt=True),
            "Content-Type": found.content_type
            + ("; charset=utf-8" if found.content_type != "application/json" else ""),
            "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
            "x-request-id": str(uuid.uuid4()),
            "x-runtime": f"{time.monotonic() - self.started:.6f}",
            **found.headers,
        }
