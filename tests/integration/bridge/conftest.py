"""One bridge for all tests that need nothing special of it; each takes a Copper account of its own."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from bridge.sandbox.copper import Account
from tests.integration.bridge.stage import ENTITIES, Stage, stage

ACCOUNTS = tuple(f"a{number:02}" for number in range(1, 56))
REPLIES = "copper-replies"
LOOKED = "snapshot.completed"


@pytest.fixture(scope="package")
async def shared(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that hears nothing of Copper by itself but its first look: what is published, commands have caused."""
    directory = tmp_path_factory.mktemp("shared")
    quiet = {"poll_every": "10m"}
    async with stage(bootstrap_servers, directory, ACCOUNTS, topics=[REPLIES, "secrets"], events=quiet) as play:
        # A machine that is busy with the first look answers commands late, and Copper's patience here is two seconds.
        looked = len(ACCOUNTS) * len(ENTITIES)
        await play.log.wait(play.names.notifications, lambda each: each.value["type"] == LOOKED, count=looked)
        yield play


@pytest.fixture(scope="package")
def unused() -> Iterator[str]:
    """Names of accounts that no test has taken."""
    return iter(ACCOUNTS)


@pytest.fixture
def customer(shared: Stage, unused: Iterator[str]) -> Account:
    """A Copper account that no other test touches, with a budget of its own."""
    return shared.account(next(unused))
