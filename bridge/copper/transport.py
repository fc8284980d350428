"""HTTP to Copper: one request out, its answer's bytes or the reason why there are none.

Used by `client` only; the one module of the Copper side that imports aiohttp, and none of aiohttp's types or errors
leaves it. Knows nothing of what the bytes mean. A request is made once: nothing here repeats it, follows it or
keeps its cookies.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Self

import aiohttp
from yarl import URL

from bridge.copper.calls import Call
from bridge.copper.wire import MAX_DETAIL, Credentials, encode
from bridge.policy.sightings import Trouble, Why

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer that are read: 200 records of 300 kB each. More counts as an answer that broke off."""

MAX_CONNECTIONS = 100
"""Connections at once, for all accounts. Whoever gives `client.CopperConnection` turns lets no more calls through."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer. Header names are lower case; `body` is empty when it broke off, came too late or was too large."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    round_trip: float
    """Seconds from right before the request was written until the answer's headers were there."""


class Transport:
    """The connections to Copper that all accounts share; an async context manager.

    Args:
        base_url: where the API is, such as https://api.copper.com/developer_api/v1.
        timeout: seconds that one call may take in all, the wait for a connection and the answer's body included.
        clock: Unix seconds, what deadlines are compared with.
    """

    def __init__(self, base_url: str, *, timeout: float, clock: Callable[[], float]) -> None:
        self._base = _checked(base_url)
        self._timeout = timeout
        self._clock = clock

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_before_writing)
        trace.on_request_chunk_sent.append(_before_a_chunk)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ours is around the whole call
            trace_configs=[trace],
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": "copper-kafka-bridge",
            },
        )
        # aiohttp would send GET, PUT and DELETE again by itself after a reset on a reused connection: a DELETE that had
        # been applied would come back as 404, and the budget would not know of the call. There is no public switch.
        self._session._retry_connection = False  # noqa: SLF001 - guarded by a test over a real socket
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def exchange(self, call: Call, credentials: Credentials, deadline: float | None) -> Received | Trouble:
        """Send the call once. Raises nothing but cancellation and errors of the program.

        After `deadline` (Unix seconds) nothing is written and the trouble is EXPIRED. NOT_SENT means that nothing was
        written, IN_DOUBT that no answer came although the request was or may have been written.
        """
        attempt = _Attempt(self._clock, deadline)
        received: Received | None = None
        request = self._session.request(
            call.method,
            URL(self._base + call.path, encoded=True),
            data=encode(call),
            headers=credentials.headers(),
            allow_redirects=False,
            trace_request_ctx=attempt,
        )
        try:
            async with asyncio.timeout(self._timeout), request as response:
                received = _received(response, attempt)
                return replace(received, body=await _read(response))
        except (_TooLateError, TimeoutError, OSError, aiohttp.ClientError) as error:
            return received or self._trouble(attempt, error)

    def _trouble(self, attempt: "_Attempt", error: Exception) -> Trouble:
        if attempt.too_late:
            return Trouble(Why.EXPIRED, "the deadline passed before the request was written")
        late = isinstance(error, TimeoutError)
        if attempt.written_at is None:
            reason = f"no connection within {self._timeout:g} s" if late else f"no connection: {error}"
            return Trouble(Why.NOT_SENT, reason[:MAX_DETAIL])
        reason = f"no answer within {self._timeout:g} s" if late else f"the connection broke: {type(error).__name__}"
        return Trouble(Why.IN_DOUBT, reason)


class _TooLateError(Exception):
    """The deadline passed before the request was written."""


class _Attempt:
    """One request on its way out: whether it may still be written, and when it was (by the loop's clock)."""

    def __init__(self, clock: Callable[[], float], deadline: float | None) -> None:
        self._clock = clock
        self._deadline = deadline
        self._chunks = 0
        self.too_late = False
        self.written_at: float | None = None

    def write(self) -> None:
        if self._deadline is not None and self._clock() > self._deadline:
            self.too_late = True
            raise _TooLateError
        self.written_at = self.written_at or asyncio.get_running_loop().time()

    def write_chunk(self) -> None:
        self._chunks += 1
        if self._chunks == 1:
            self.write()


async def _before_writing(_session: object, context: SimpleNamespace, _params: object) -> None:
    """The last moment before the first byte of a request without a body, which goes out with the headers."""
    context.trace_request_ctx.write()


async def _before_a_chunk(_session: object, context: SimpleNamespace, _params: object) -> None:
    """The same with a body: aiohttp keeps the headers back for it, and writes it in a task that has yet to be run."""
    context.trace_request_ctx.write_chunk()


def _received(response: aiohttp.ClientResponse, attempt: _Attempt) -> Received:
    now = asyncio.get_running_loop().time()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Received(response.status, headers, b"", now - (attempt.written_at or now))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            response.close()
            return b""
    return bytes(body)


def _checked(base_url: str) -> str:
    url = URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.user or url.password or url.query or url.fragment:
        raise ValueError("copper.base_url must be an http(s) address without user, query and fragment")
    return str(url).rstrip("/")
