"""Hosting: accounts come, stand otherwise and go while the others' flows go on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bridge.contract.accounts import Standing
from bridge.policy.sessions import SessionEnded
from bridge.shard.hosting import Hosting

LONG = 1_000.0


@dataclass
class House:
    """Accounts, and what has become of their flows."""

    standing: dict[str, Standing] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    happened: list[str] = field(default_factory=list)
    slow: float = 0.0

    def flows(self, account: str, standing: Standing, _together: int) -> list["Lodger"]:
        return [Lodger(self, f"{account} {standing}")]

    async def be(self, **standing: Standing) -> list[str]:
        """Let the accounts stand so; what has happened."""
        self.standing, self.happened = standing, []
        self.changed.set()
        await asyncio.sleep(LONG)
        return self.happened

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            hosting = group.create_task(Hosting(lambda: self.standing, self.flows, self.changed).run())
            yield
            hosting.cancel()


@dataclass
class Lodger:
    """A flow."""

    house: House
    name: str

    async def run(self) -> None:
        self.house.happened.append(f"begun {self.name}")
        if self.name.startswith("broken"):
            return
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self.house.slow)
            self.house.happened.append(f"ended {self.name}")


async def test_one_account_comes_changes_and_goes_and_the_others_notice_nothing() -> None:
    house = House()
    async with house.open():
        assert await house.be(acme=Standing.CONNECTED) == ["begun acme connected"]
        both = {"acme": Standing.CONNECTED, "globex": Standing.CONNECTED}
        assert await house.be(**both) == ["begun globex connected"]
        assert await house.be(**both) == []
        assert await house.be(**both | {"globex": Standing.PAUSED}) == ["ended globex connected", "begun globex paused"]
        assert await house.be(acme=Standing.CONNECTED) == ["ended globex paused"]
        assert await house.be() == ["ended acme connected"]


async def test_what_works_for_an_account_has_ended_before_the_next_begins() -> None:
    house = House(slow=60.0)
    async with house.open():
        await house.be(acme=Standing.CONNECTED)
        assert await house.be(acme=Standing.LEAVING) == ["ended acme connected", "begun acme leaving"]


async def test_a_flow_that_returns_ends_all() -> None:
    house = House({"acme": Standing.CONNECTED})
    with pytest.raises(ExceptionGroup) as ended:
        async with house.open():
            await house.be(acme=Standing.CONNECTED, broken=Standing.CONNECTED)
    assert ended.group_contains(SessionEnded)
    assert "ended acme connected" in house.happened
