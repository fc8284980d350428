"""The public port: what a stranger may send and how long it may take."""

import asyncio
import contextlib
import socket
import zlib
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from bridge.web.ports import listening
from bridge.web.public import AT_ONCE, BODY_SECONDS, MAX_BODY_BYTES, public

WHERE = "/webhooks/copper/acme"


class Receiver:
    """Notes what it is given and answers as it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Mapping[str, str], bytes]] = []
        self.status = HTTPStatus.OK

    async def __call__(self, account: str, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        self.taken.append((account, headers, body))
        return self.status


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def port(receiver: Receiver) -> AsyncGenerator[int]:
    async with listening(public(receiver), "127.0.0.1", 0) as number:
        yield number


@pytest.fixture
async def stranger(port: int) -> AsyncGenerator[ClientSession]:
    """Somebody who speaks HTTP to the port, and has patience."""
    async with ClientSession(f"http://127.0.0.1:{port}", timeout=ClientTimeout(total=None)) as session:
        yield session


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_a_notification_is_handed_on_and_the_answer_is_the_receivers(
    stranger: ClientSession, receiver: Receiver, status: HTTPStatus
) -> None:
    receiver.status = status
    async with stranger.post(WHERE, data=b"{}", headers={"X-Bridge-Token": "t"}) as answer:
        assert (answer.status, await answer.text()) == (status, f"{status.phrase}\n")
    ((account, headers, body),) = receiver.taken
    assert (account, headers["x-bridge-token"], body) == ("acme", "t", b"{}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", WHERE, 405),
        ("PUT", WHERE, 405),
        ("POST", "/", 404),
        ("POST", "/webhooks/copper/", 404),
        ("POST", "/webhooks/copper/UPPER", 404),
        ("POST", f"/webhooks/copper/{'a' * 65}", 404),
        ("POST", "/webhooks/copper/acme/more", 404),
        ("POST", "/webhooks/copper/..%2f..%2fmetrics", 404),
        ("GET", "/metrics", 404),
        ("GET", "/livez", 404),
        ("GET", "/api/status", 404),
    ],
)
async def test_there_is_nothing_else_on_the_port(
    stranger: ClientSession, receiver: Receiver, method: str, path: str, status: int
) -> None:
    async with stranger.request(method, path) as answer:
        assert answer.status == status
    assert receiver.taken == []


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413), (1_000_000, 413)])
async def test_a_body_larger_than_any_notification_is_refused(
    stranger: ClientSession, receiver: Receiver, size: int, status: int
) -> None:
    async with stranger.post(WHERE, data=b"x" * size) as answer:
        assert answer.status == status
    assert [len(body) for _, _, body in receiver.taken] == [size] * (status == 200)


@pytest.mark.parametrize("sent", [b"", b"half of it"])
async def test_a_body_that_does_not_come_is_given_up(port: int, receiver: Receiver, sent: bytes) -> None:
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode() + sent)
    line = await reader.readline()
    took = asyncio.get_running_loop().time() - began
    writer.close()
    await writer.wait_closed()
    assert line.startswith(b"HTTP/1.1 408")
    assert took == pytest.approx(BODY_SECONDS, abs=0.5)
    assert receiver.taken == []


async def test_a_body_that_drips_is_given_up_all_the_same(port: int, receiver: Receiver) -> None:
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode())

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.5)

    dripping = asyncio.create_task(drip())
    line = await reader.readline()
    took = asyncio.get_running_loop().time() - began
    dripping.cancel()
    writer.close()
    assert line.startswith(b"HTTP/1.1 408")
    assert took == pytest.approx(BODY_SECONDS, abs=0.6)
    assert receiver.taken == []


async def test_a_body_that_would_have_to_be_unpacked_is_refused(stranger: ClientSession, receiver: Receiver) -> None:
    packed = zlib.compress(b"x" * 10_000_000)
    async with stranger.post(WHERE, data=packed, headers={"Content-Encoding": "deflate"}) as answer:
        assert answer.status == 415
    assert receiver.taken == []


async def test_a_body_in_pieces_is_bounded_too(stranger: ClientSession, receiver: Receiver) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with stranger.post(WHERE, data=pieces()) as answer:
        assert answer.status == 413
    assert receiver.taken == []


async def test_more_notifications_at_once_than_can_be_kept_are_told_to_come_again() -> None:
    came, go = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_account: str, _headers: Mapping[str, str], _body: bytes) -> HTTPStatus:
        came.release()
        await go.wait()
        return HTTPStatus.OK

    async with (
        listening(public(slow), "127.0.0.1", 0) as port,
        ClientSession(f"http://127.0.0.1:{port}", connector=TCPConnector(limit=0)) as session,
    ):
        waiting = [asyncio.create_task(_status(session)) for _ in range(AT_ONCE)]
        for _ in waiting:
            await came.acquire()
        assert await _status(session) == 503
        go.set()
        assert await asyncio.gather(*waiting) == [200] * AT_ONCE
        assert await _status(session) == 200


async def _status(session: ClientSession) -> int:
    async with session.post(WHERE, data=b"{}") as answer:
        return answer.status


async def test_connections_beyond_the_limit_are_closed_and_those_within_it_go_on(receiver: Receiver) -> None:
    refused: list[None] = []
    async with listening(public(receiver), "127.0.0.1", 0, most=3, refused=lambda: refused.append(None)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in held:  # answered once: they are the application's by now
            writer.write(f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        assert len(refused) == 5
        for _, writer in held:
            writer.close()


async def test_a_crowd_that_comes_at_once_is_counted_one_by_one(receiver: Receiver) -> None:
    refused = asyncio.Semaphore(0)
    async with listening(public(receiver), "127.0.0.1", 0, most=5, refused=refused.release) as port:
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]  # while the loop stands still
        async with asyncio.timeout(60):
            for _ in range(45):
                await refused.acquire()
        for each in crowd:
            each.close()
    assert refused.locked()


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHos"])
async def test_a_connection_that_says_nothing_or_never_ends_its_headers_is_closed(
    receiver: Receiver, sent: bytes
) -> None:
    async with listening(public(receiver), "127.0.0.1", 0, keepalive=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
