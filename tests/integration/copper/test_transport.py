"""Transport and client over real sockets: what is sent, how often, and what every way to fail is called."""

import asyncio
import contextlib
import random
import socket
import ssl
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bridge.copper import calls
from bridge.copper.budgeting import Allowance
from bridge.copper.calls import Call
from bridge.copper.client import CopperConnection
from bridge.copper.transport import Received, Transport
from bridge.copper.wire import ApiKey
from bridge.policy.budget import Budget
from bridge.policy.sightings import Ask, Lane, Stamp, Trouble, Why

KEY = ApiKey("canary-key", "ops@acme.example")
GET = calls.get("company", 7)
CREATE = calls.create("company", {"name": "Canary Ltd"})
DELETE = calls.delete("company", 7)
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"id": 7}'

Talk = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server of raw sockets: counts what arrives and answers by a script per connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.requests: list[bytes] = []
        self.connections = 0
        self.hanging = asyncio.Event()

    async def heard(self, reader: asyncio.StreamReader) -> None:
        """Wait for one whole request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def peer(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Peer, str]]:
    it = Peer(talk)
    server = await asyncio.start_server(it.serve, "localhost", 0, family=socket.AF_INET, ssl=tls)
    try:
        yield it, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    finally:
        it.hanging.set()
        server.close()
        await server.wait_closed()


async def exchange(base_url: str, call: Call, **how: Any) -> Received | Trouble:
    timeout, clock, deadline = how.get("timeout", 5.0), how.get("clock", time.time), how.get("deadline")
    async with Transport(base_url, timeout=timeout, clock=clock) as transport:
        return await transport.exchange(call, KEY, deadline)


def answering(raw: bytes) -> Talk:
    async def talk(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await it.heard(reader)
        writer.write(raw)
        await writer.drain()

    return talk


async def silent(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await it.heard(reader)
    await it.hanging.wait()


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


async def test_a_call_is_one_request_with_the_credentials_and_the_json() -> None:
    async with peer(answering(OK)) as (it, base_url):
        received = await exchange(base_url, CREATE)

    assert isinstance(received, Received)
    assert (received.status, received.headers["content-type"], received.body) == (200, "application/json", b'{"id": 7}')
    head, _, body = it.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/companies HTTP/1.1\r\n")
    assert {
        b"X-PW-AccessToken: canary-key",
        b"X-PW-Application: developer_api",
        b"Content-Type: application/json",
    } <= set(head.split(b"\r\n"))
    assert body == b'{"name":"Canary Ltd"}'
    assert len(it.requests) == 1


@pytest.mark.parametrize("call", [GET, DELETE, calls.update("company", 7, {}), CREATE], ids=lambda call: call.method)
async def test_a_reset_on_a_reused_connection_is_not_repeated_behind_our_back(call: Call) -> None:
    async def talk(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await it.heard(reader)
        writer.write(OK)
        await it.heard(reader)
        reset(writer)

    async with peer(talk) as (it, base_url), Transport(base_url, timeout=5, clock=time.time) as transport:
        first = await transport.exchange(GET, KEY, None)
        second = await transport.exchange(call, KEY, None)

    assert isinstance(first, Received)
    assert isinstance(second, Trouble)
    assert second.why is Why.IN_DOUBT
    assert (len(it.requests), it.connections) == (2, 1)


async def test_aiohttp_still_has_the_switch_that_we_turn_off() -> None:
    async with aiohttp.ClientSession() as session:
        assert session._retry_connection is True


async def test_no_answer_in_time_is_in_doubt() -> None:
    async with peer(silent) as (it, base_url):
        assert await exchange(base_url, GET, timeout=0.2) == Trouble(Why.IN_DOUBT, "no answer within 0.2 s")

    assert len(it.requests) == 1


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"\x00\xff nonsense \r\n\r\n", b"SSH-2.0-x\r\n"]
)
async def test_an_answer_that_is_none_is_in_doubt(raw: bytes) -> None:
    async with peer(answering(raw)) as (_, base_url):
        trouble = await exchange(base_url, CREATE)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.IN_DOUBT


@pytest.mark.parametrize(
    "raw",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"id": 7}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"id": 7}\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n{"id": 7}',
    ],
    ids=["short", "chunks end", "no gzip"],
)
async def test_a_body_that_breaks_off_leaves_the_status_known(raw: bytes) -> None:
    async with peer(answering(raw)) as (_, base_url):
        received = await exchange(base_url, CREATE)

    assert isinstance(received, Received)
    assert (received.status, received.body) == (200, b"")


async def test_a_body_that_never_ends_leaves_the_status_known() -> None:
    async def drip(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await it.heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[")
        await it.hanging.wait()

    async with peer(drip) as (_, base_url):
        received = await exchange(base_url, CREATE, timeout=0.2)

    assert isinstance(received, Received)
    assert (received.status, received.body) == (200, b"")


async def test_a_body_beyond_the_bound_is_not_read() -> None:
    async def flood(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await it.heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        while True:
            writer.write(b" " * 1024 * 1024)
            await writer.drain()

    async with peer(flood) as (_, base_url):
        received = await exchange(base_url, GET, timeout=60)

    assert isinstance(received, Received)
    assert (received.status, received.body) == (200, b"")


async def test_a_connection_that_is_refused_was_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{free.getsockname()[1]}"
    trouble = await exchange(base_url, CREATE)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.NOT_SENT
    assert "Cannot connect to host 127.0.0.1" in trouble.detail


async def test_a_name_nobody_knows_was_not_sent() -> None:
    trouble = await exchange("http://copper.invalid", CREATE)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.NOT_SENT


async def test_a_peer_without_tls_was_not_sent_anything() -> None:
    async with peer(silent) as (it, base_url):
        trouble = await exchange(base_url.replace("http://", "https://"), CREATE, timeout=0.5)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.NOT_SENT
    assert it.requests == []


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for localhost that nobody vouches for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1)
    )
    alternatives = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = certificate.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(private + signed.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


async def test_a_peer_whose_certificate_nobody_vouches_for_is_sent_nothing(untrusted: ssl.SSLContext) -> None:
    async with peer(answering(OK), tls=untrusted) as (it, address):
        trouble = await exchange(address.replace("http://127.0.0.1", "https://localhost"), CREATE)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.NOT_SENT
    assert it.requests == []


async def test_a_time_out_while_waiting_for_the_connection_was_not_sent() -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the queue of the kernel takes; nobody accepts
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        trouble = await exchange(f"http://127.0.0.1:{full.getsockname()[1]}", CREATE, timeout=0.2)

    assert trouble == Trouble(Why.NOT_SENT, "no connection within 0.2 s")


@pytest.mark.parametrize("call", [GET, CREATE], ids=lambda call: call.method)
async def test_past_the_deadline_not_a_byte_is_written(call: Call) -> None:
    async with peer(silent) as (it, base_url):
        assert await exchange(base_url, call, deadline=100.0, clock=lambda: 100.1) == Trouble(
            Why.EXPIRED, "the deadline passed before the request was written"
        )

    assert it.requests == []


async def test_the_deadline_is_looked_at_after_the_connection_is_there() -> None:
    times = iter([100.1])
    connected_first: list[int] = []

    async with peer(silent) as (it, base_url):

        def clock() -> float:
            connected_first.append(1)
            return next(times)

        trouble = await exchange(base_url, CREATE, deadline=100.0, clock=clock)

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.EXPIRED
    assert (it.connections, it.requests, connected_first) == (1, [], [1])


@pytest.mark.parametrize("call", [CREATE, calls.update("company", 7, {})], ids=lambda call: call.method)
async def test_held_up_between_the_headers_and_the_body_not_a_byte_is_written(call: Call) -> None:
    """aiohttp may run the loop in between, which takes as long as a busy or frozen process takes."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(_it: Peer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())

    times = iter([99.0, 101.0])
    async with peer(talk) as (_, base_url):
        trouble = await exchange(base_url, call, deadline=100.0, clock=lambda: next(times))
        assert await heard == b""

    assert isinstance(trouble, Trouble)
    assert trouble.why is Why.EXPIRED
    assert list(times) == []


async def test_a_redirect_is_not_followed() -> None:
    async with peer(answering(OK)) as (elsewhere, target):
        raw = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}/steal\r\nContent-Length: 0\r\n\r\n".encode()
        async with peer(answering(raw)) as (_, base_url):
            received = await exchange(base_url, CREATE)

    assert isinstance(received, Received)
    assert received.status == 307
    assert elsewhere.requests == []


async def test_no_cookie_is_sent_back() -> None:
    async def talk(it: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await it.heard(reader)
            writer.write(OK.replace(b"OK\r\n", b"OK\r\nSet-Cookie: session=1; Path=/\r\n", 1))

    async with peer(talk) as (it, address):
        base_url = address.replace("127.0.0.1", "localhost")  # a cookie jar takes nothing of a bare address anyway
        async with Transport(base_url, timeout=5, clock=time.time) as transport:
            for _ in range(2):
                assert isinstance(await transport.exchange(GET, KEY, None), Received)

    assert len(it.requests) == 2
    assert b"cookie" not in b"".join(it.requests).lower()


async def test_whatever_a_peer_sends_comes_back_as_a_value() -> None:
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    pieces = [
        b"HTTP/1.1 ",
        b"200 OK",
        b"\r\n",
        b"Content-Length: ",
        b"99999999999999999999",
        b"9",
        b"-1",
        b"\r\n\r\n",
        b"\x00",
        b":",
    ]
    pieces += [
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: ",
        b"gzip",
        b"deflate",
        b"x" * 9000,
        b"HTTP/1.1 100 Continue",
        b"101 ",
    ]
    for _ in range(150):
        raw = b"HTTP/1.1 200 OK\r\n" * chance.randint(0, 1) + b"".join(chance.choices(pieces, k=chance.randint(1, 9)))
        async with peer(answering(raw)) as (_, base_url):
            seen = await exchange(base_url, CREATE, timeout=0.5)

        assert isinstance(seen, Received | Trouble)
        assert isinstance(seen, Received) or seen.why is Why.IN_DOUBT
        assert "canary" not in repr(seen).lower()


async def test_not_even_an_error_of_the_program_shows_a_secret() -> None:
    def broken() -> float:
        raise LookupError("the clock broke")

    async with peer(silent) as (_, base_url):
        with pytest.raises(LookupError) as caught:
            await exchange(base_url, CREATE, deadline=1.0, clock=broken)
        async with Transport(base_url, timeout=1, clock=broken) as transport:
            printed = repr([transport, vars(transport), KEY, CREATE])

    assert "canary" not in (printed + "".join(traceback.format_exception(caught.value))).lower()


@pytest.mark.parametrize(
    "base_url",
    ["ftp://copper", "copper.com/api", "https://user:pw@copper", "https://copper/?key=1", "https://copper/#a"],
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Transport(base_url, timeout=1, clock=time.time)


async def test_a_page_that_does_not_tell_its_time_is_unreadable() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    allowance = Allowance(Budget(600_000, asyncio.get_running_loop().time()))
    async with peer(answering(raw)) as (_, base_url), CopperConnection(base_url, timeout=5) as connection:
        page = await connection.account("acme", KEY, allowance).search("task", Ask(Stamp.MODIFIED), Lane.POLLS)

    assert isinstance(page, Trouble)
    assert page.why is Why.UNREADABLE
