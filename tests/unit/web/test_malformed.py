"""Requests that are none: whatever bytes come, strangers get a 4xx or nothing, and the log gets nothing of theirs."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from http import HTTPStatus
from random import Random

import pytest

from bridge.web.ports import listening
from bridge.web.public import public

HEAD = b"POST /webhooks/copper/acme HTTP/1.1\r\nHost: x\r\nX-Bridge-Token: canary\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REQUESTS = {
    "no size of a chunk": CHUNKED + b"canary\r\nx\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\ncanary\r\n0\r\n\r\n",
    "a body shorter than it says": HEAD + b"Content-Length: 100\r\n\r\ncanary",
    "a body longer than it says": HEAD + b"Content-Length: 2\r\n\r\n{}canary",
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an odd transfer": HEAD + b"Transfer-Encoding: canary\r\n\r\n{}",
    "a packed transfer": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an odd expectation": HEAD + b"Expect: canary\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade": HEAD + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}",
    "a broken header": HEAD + b"X-Bridge-Token: can\x00ary\r\nContent-Length: 2\r\n\r\n{}",
    "a header without a name": HEAD + b"canary\r\nContent-Length: 2\r\n\r\n{}",
    "a large header": HEAD + b"X-More: " + b"canary" * 20_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X-%d: canary\r\n" % number for number in range(5_000)) + b"\r\n",
    "a long address": b"POST /" + b"canary" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a broken address": b"POST http://[canary/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "no text for an account": HEAD.replace(b"acme", b"%ff%fe") + b"Content-Length: 0\r\n\r\n",
    "an odd method": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary",
    "many at once": (HEAD + b"Content-Length: 2\r\n\r\n{}") * 500,
}
PARTS = (
    b"\r\n", b"\x00", b"\xff", b"0\r\n\r\n", b"HTTP/1.1", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n",
    b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n",
)  # fmt: skip
TRIES = 2_000


@pytest.fixture
async def port() -> AsyncGenerator[int]:
    """A public port that keeps what is authentic, as the bridge does, and is in a hurry."""

    async def receive(_account: str, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        authentic = headers.get("X-Bridge-Token") == "canary"
        return HTTPStatus.OK if authentic and body == b"{}" else HTTPStatus.UNAUTHORIZED

    async with listening(public(receive, body_seconds=0.2), "127.0.0.1", 0, keepalive=0.3) as number:
        yield number


@pytest.fixture
def nothing_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], None]:
    """Fails when anybody's logger or stream has had a word."""

    def check() -> None:
        assert caplog.records == []
        assert capfd.readouterr() == ("", "")

    return check


async def answers(port: int, request: bytes) -> list[int]:
    """The statuses of all answers until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(request)
        while more := await reader.read(65_536):
            answer += more
    except ConnectionError:
        pass
    finally:
        writer.close()
    return [int(line[9:12]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/")]


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_malformed_request_is_answered_or_dropped_and_nothing_of_it_is_logged(
    port: int, what: str, nothing_told: Callable[[], None]
) -> None:
    async with asyncio.timeout(600):
        statuses = await answers(port, REQUESTS[what])
    assert all(status < 500 for status in statuses)
    nothing_told()


@pytest.mark.figures
async def test_no_bytes_make_the_port_fail(port: int, nothing_told: Callable[[], None]) -> None:
    random, statuses = Random(7), Counter[int]()  # noqa: S311 - seeded
    async with asyncio.timeout(6_000):
        for _ in range(TRIES // 20):
            tried = await asyncio.gather(*(answers(port, mutated(random)) for _ in range(20)))
            statuses.update(status for each in tried for status in each or [0])
    nothing_told()
    closed = statuses.pop(0, 0)
    print(f"raw requests: {TRIES} tried, answers: {dict(sorted(statuses.items()))}, closed without one: {closed}")
    assert max(statuses) < 500
    assert statuses[200] > 0


def mutated(random: Random) -> bytes:
    """A request that was changed up to four times: a bit, something put in, something left out, two of them joined."""
    requests = [*REQUESTS.values()]
    request = bytearray(random.choice(requests)[:2_000])
    for _ in range(random.randrange(5)):
        at = random.randrange(len(request) + 1)
        match random.randrange(4):
            case 0:
                request[at : at + 1] = bytes(byte ^ 1 << random.randrange(8) for byte in request[at : at + 1])
            case 1:
                request[at:at] = random.choice(PARTS)
            case 2:
                del request[at : at + random.randrange(30)]
            case _:
                request[at:at] = random.choice(requests)[: random.randrange(300)]
    return bytes(request)


async def test_an_error_of_our_own_is_a_500_that_is_told_and_not_printed(nothing_told: Callable[[], None]) -> None:
    async def broken(_account: str, _headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        raise RuntimeError(body)

    told = list[BaseException]()
    async with listening(public(broken), "127.0.0.1", 0, unexpected=told.append) as port, asyncio.timeout(600):
        assert await answers(port, HEAD + b"Connection: close\r\nContent-Length: 6\r\n\r\ncanary") == [500]
    assert [type(each) for each in told] == [RuntimeError]
    nothing_told()
