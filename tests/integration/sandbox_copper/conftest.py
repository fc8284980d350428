"""A Copper double per test, a clock in the test's hand, and a client that speaks plain HTTP to it."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from bridge.sandbox.copper import Account, CopperDouble, DoubleAccount

KEY = "k" * 32
EMAIL = "ops@acme.example"


class HandClock:
    """Unix seconds that stand still until the test moves them."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


Call = Callable[..., Awaitable[Reply]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def copper(clock: HandClock) -> AsyncGenerator[CopperDouble]:
    account = DoubleAccount("acme", api_key=KEY, user_email=EMAIL, token="t" * 64)
    async with CopperDouble([account], seed=7, clock=clock) as double:
        yield double


@pytest.fixture
def acme(copper: CopperDouble) -> Account:
    return copper.account("acme")


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        # One call is one call: aiohttp would repeat some by itself after a reset.
        session._retry_connection = False
        yield session


@pytest.fixture
def call(copper: CopperDouble, session: aiohttp.ClientSession) -> Call:
    trio = {"X-PW-AccessToken": KEY, "X-PW-Application": "developer_api", "X-PW-UserEmail": EMAIL}

    async def ask(method: str, path: str, body: Any = None, *, headers: Mapping[str, str] = trio) -> Reply:
        url = path if path.startswith("http") else copper.base_url + path
        async with session.request(method, url, json=body, headers=headers, allow_redirects=False) as answer:
            return Reply(answer.status, answer.headers.copy(), await answer.read())

    return ask
