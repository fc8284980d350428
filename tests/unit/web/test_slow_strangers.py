"""Strangers who take their time: every connection comes to its end, whatever they do with it."""

import asyncio
import contextlib
from collections.abc import Mapping
from http import HTTPStatus

import pytest

from bridge.web.ports import KEEPALIVE_SECONDS, LINGER_SECONDS, listening
from bridge.web.public import BODY_SECONDS, MAX_BODY_BYTES, public

HEAD = b"POST /webhooks/copper/acme HTTP/1.1\r\nHost: x\r\n"
WAYS = {
    "says nothing": (b"", b""),
    "drips its first line": (b"", b"P"),
    "drips headers for ever": (HEAD, b"X-More: 1\r\n"),
    "never ends a header": (HEAD + b"X-Long: ", b"x"),
    "sends no body": (HEAD + b"Content-Length: 9\r\n\r\n", b""),
    "drips its body": (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
    "drips chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "goes on after too much": (HEAD + b"Content-Length: 999999999\r\n\r\n" + b"x" * 2 * MAX_BODY_BYTES, b"x" * 1000),
    "goes on after a packed body": (HEAD + b"Content-Encoding: br\r\nContent-Length: 9999\r\n\r\n", b"x"),
    "is answered and stays": (HEAD + b"Content-Length: 2\r\n\r\n{}", b""),
    "is answered and drips": (HEAD + b"Content-Length: 2\r\n\r\n{}" + HEAD, b"X-More: 1\r\n"),
}
EACH = 8
"""All of them fit into the backlog of one listening socket, or the system makes some of them wait in real time."""
LONGEST = max(KEEPALIVE_SECONDS, BODY_SECONDS + LINGER_SECONDS)


async def _kept(_account: str, _headers: Mapping[str, str], _body: bytes) -> HTTPStatus:
    return HTTPStatus.OK


async def _stranger(port: int, first: bytes, drip: bytes) -> float:
    """How long the connection was held, in seconds of the loop's clock."""
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        writer.write(first)
        while drip:
            await asyncio.sleep(0.5)
            writer.write(drip)

    sending = asyncio.create_task(send())
    with contextlib.suppress(ConnectionError):
        await reader.read()
    held = asyncio.get_running_loop().time() - began
    sending.cancel()
    writer.close()
    return held


@pytest.mark.figures
async def test_every_connection_of_slow_strangers_is_closed_in_time() -> None:
    async with listening(public(_kept), "127.0.0.1", 0) as port, asyncio.timeout(600):
        held = await asyncio.gather(*(_stranger(port, *way) for way in WAYS.values() for _ in range(EACH)))
    left = sum(each > LONGEST + 1 for each in held)
    print(
        f"slow connections: {len(held)}, held at most {max(held):.1f} s, still open after {LONGEST + 1:.0f} s: {left}"
    )
    assert left == 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_limit_that_is_shorter_closes_sooner(way: str) -> None:
    app = public(_kept, body_seconds=1.0)
    async with listening(app, "127.0.0.1", 0, keepalive=2.0) as port, asyncio.timeout(600):
        assert await _stranger(port, *WAYS[way]) < 2.0 + LINGER_SECONDS + 1
