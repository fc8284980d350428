"""The public port: what a stranger may send and how long it may take."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus

import pytest
from aiohttp import ClientSession, ClientTimeout

from bridge.web.ports import listening
from bridge.web.public import BODY_SECONDS, MAX_BODY_BYTES, public

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
