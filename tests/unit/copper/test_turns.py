"""Connections to Copper are few and shared by all accounts: whose call is next, and what a wait for one costs."""

import asyncio
from email.utils import formatdate
from typing import cast

from bridge.contract.commands import Command, decode, encode
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.copper.budgeting import Allowance
from bridge.copper.calls import Call
from bridge.copper.client import CopperAccount
from bridge.copper.transport import Received, Transport
from bridge.copper.wire import ApiKey, Credentials
from bridge.policy.budget import SHARES_OF_ALL, Budget
from bridge.policy.sightings import Ask, Lane, Stamp, Trouble, Why
from bridge.sandbox.copper.limits import most_in_any
from bridge.shard.turns import Turns

CONNECTIONS, PER_MINUTE = 8, 170
CALL_SECONDS = 0.5
EPOCH = 1_790_000_000.0


class Slow:
    """Satisfies what accounts need of a transport. Every call takes its time, and waits while nothing is `flowing`."""

    def __init__(self) -> None:
        self.turns = Turns(CONNECTIONS, SHARES_OF_ALL)
        self.made: list[tuple[float, str]] = []
        """When, and for which account."""
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.under_way, self.most = 0, 0

    def clock(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def account(self, name: str) -> CopperAccount:
        return CopperAccount(
            name,
            lambda: ApiKey(name, f"ops@{name}.example"),
            Allowance(Budget(PER_MINUTE, asyncio.get_running_loop().time() - 60.0)),
            cast("Transport", self),
            observe=lambda _observed: None,
            clock=self.clock,
            turn=self.turns.turn,
        )

    async def exchange(self, _call: Call, credentials: Credentials, _deadline: float | None) -> Received | Trouble:
        self.made.append((self.clock(), credentials.headers()["X-PW-AccessToken"]))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.flowing.wait()
        await asyncio.sleep(CALL_SECONDS)
        self.under_way -= 1
        headers = {"date": formatdate(self.clock(), usegmt=True), "content-type": "application/json"}
        return Received(200, headers, b"[]", CALL_SECONDS)


async def _pages(account: CopperAccount, lane: Lane, entity: str = "lead") -> None:
    """Page after page, as fast as may be."""
    while True:
        await account.search(entity, Ask(Stamp.CREATED), lane)


async def _took(account: CopperAccount, lane: Lane) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert not isinstance(await account.search("lead", Ask(Stamp.MODIFIED), lane), Trouble)
    return loop.time() - began


def _command() -> Command:
    names = TopicNames()
    value, headers = encode("update", record_id=7, data={"name": "Tideglass"})
    record = Incoming(Position(names.commands("lead"), 0, 1), b"acme", value, tuple(headers), 0)
    command = decode(record, entity="lead", names=names, accounts=["acme"], allowed_replies=[])
    assert isinstance(command, Command)
    return command


async def test_snapshots_and_sweeps_of_many_accounts_hold_up_neither_commands_nor_polls_of_another() -> None:
    copper = Slow()
    many = [copper.account(f"new-{number}") for number in range(40)]
    lanes = [Lane.SNAPSHOTS, Lane.SNAPSHOTS, Lane.SWEEPS]
    busy = [asyncio.ensure_future(_pages(each, lane)) for each in many for lane in lanes]
    other = copper.account("acme")
    waited = list[float]()
    for _ in range(20):
        await asyncio.sleep(3.0)
        waited += [await _took(other, Lane.POLLS), await _took(other, Lane.COMMANDS)]
    for each in busy:
        each.cancel()
    assert max(waited) <= CALL_SECONDS * 1.01
    assert copper.most <= CONNECTIONS
    assert len(copper.made) >= 60 / CALL_SECONDS * CONNECTIONS * 0.7, "what is there is used"


async def test_a_crowd_of_calls_of_one_account_holds_up_another_by_a_turn() -> None:
    copper = Slow()
    crowd, other = copper.account("crowd"), copper.account("acme")
    copper.flowing.clear()
    waiting = [asyncio.ensure_future(_took(crowd, Lane.CHECKS)) for _ in range(3 * CONNECTIONS)]
    await asyncio.sleep(10.0)
    own = asyncio.ensure_future(_took(other, Lane.CHECKS))
    await asyncio.sleep(0.1)
    copper.flowing.set()
    assert await own <= 0.1 + 2 * CALL_SECONDS * 1.01
    await asyncio.gather(*waiting)


async def test_a_call_whose_deadline_passes_while_it_waits_for_a_connection_is_not_made() -> None:
    copper = Slow()
    copper.flowing.clear()
    crowd = [asyncio.ensure_future(_took(copper.account(f"c-{n}"), Lane.POLLS)) for n in range(CONNECTIONS)]
    await asyncio.sleep(1.0)
    account, began = copper.account("acme"), copper.clock()
    answer = await account.execute(_command(), deadline=began + 2.0)
    assert isinstance(answer, Trouble)
    assert (answer.why, copper.clock() - began) == (Why.EXPIRED, 2.0)
    assert "acme" not in {name for _, name in copper.made}
    copper.flowing.set()
    await asyncio.gather(*crowd)
    await account.execute(_command(), deadline=copper.clock() + 2.0)
    assert "acme" in {name for _, name in copper.made}


async def test_calls_that_were_held_up_together_go_out_in_place_of_others_and_not_on_top_of_them() -> None:
    copper = Slow()
    copper.flowing.clear()
    stuck = [asyncio.ensure_future(_took(copper.account(f"c-{n}"), Lane.POLLS)) for n in range(CONNECTIONS)]
    account = copper.account("acme")
    held_up = [asyncio.ensure_future(_took(account, Lane.POLLS)) for _ in range(30)]
    await asyncio.sleep(90.0)
    copper.flowing.set()
    pages = [asyncio.ensure_future(_pages(account, Lane.POLLS)) for _ in range(CONNECTIONS)]
    await asyncio.gather(*stuck, *held_up)
    await asyncio.sleep(90.0)
    for each in pages:
        each.cancel()
    assert most_in_any(60.0, (at for at, name in copper.made if name == "acme")) <= PER_MINUTE
