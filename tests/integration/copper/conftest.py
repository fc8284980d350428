"""A Copper double with one account, and the client's view of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from bridge.contract.commands import Command, decode
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.copper.budgeting import Allowance
from bridge.copper.client import CopperAccount, CopperConnection, Observed
from bridge.copper.wire import ApiKey
from bridge.policy.budget import Budget
from bridge.sandbox.copper import CopperDouble, DoubleAccount

CANARY = "canary-0123456789abcdef"
NAMES = TopicNames()


@pytest.fixture
async def copper() -> AsyncIterator[CopperDouble]:
    """A fresh double."""
    async with CopperDouble([DoubleAccount("acme", CANARY, "ops@acme.example", token=f"token-{CANARY}")]) as double:
        yield double


@pytest.fixture
def observed() -> list[Observed]:
    """What was observed."""
    return []


@pytest.fixture
async def connection(copper: CopperDouble, observed: list[Observed]) -> AsyncIterator[CopperConnection]:
    """The shared connection to the double, with a short time-out."""
    async with CopperConnection(copper.base_url, timeout=2, observe=observed.append) as shared:
        yield shared


@pytest.fixture
async def acme(connection: CopperConnection) -> CopperAccount:
    """The account, with a budget that does not hold a test up."""
    return connection.account("acme", ApiKey(CANARY, "ops@acme.example"), await quick())


async def quick() -> Allowance:
    """Ten thousand calls a second."""
    return Allowance(Budget(600_000, asyncio.get_running_loop().time()))


@pytest.fixture
def command() -> Callable[..., Command]:
    """A valid command, decoded from its record as the bridge does it."""

    def decoded(entity: str, action: str, **members: Any) -> Command:
        value = orjson.dumps({"action": action} | members)
        record = Incoming(Position(NAMES.commands(entity), 0, 7), b"acme", value, (), 0)
        found = decode(record, entity=entity, names=NAMES, accounts=["acme"], allowed_replies=[])
        assert isinstance(found, Command), found
        return found

    return decoded
