"""The late EndTxn: a commit that was sent twice, whose first copy arrives within the next transaction (KIP-890)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from bridge.kafka.ledger import Draft
from bridge.policy.sessions import SessionEnded
from tests.integration.kafka.conftest import Desk, MakeDesk
from tests.integration.kafka.proxy import Proxy, proxied_kafka

REQUEST_SECONDS = 1.5
"""After which the client gives a held EndTxn up and sends it again; the ledger's own patience is half as much again."""

RECORDS, RECORD_BYTES = 70, 10_000
"""More than one batch (512 KiB) for one partition: the second waits for the first one's answer."""

ROUNDS, CONTROLS = 5, 3


@dataclass(frozen=True)
class Round:
    """What became of the transaction into which the late request fell."""

    known: bool
    """Whether `commit` said so."""
    visible: int
    """How many of its records a read_committed reader finds."""
    answer: int
    """The broker's error code for the late request; 0 is none."""

    @property
    def outcome(self) -> str:
        if 0 < self.visible < RECORDS:
            return "torn"
        return "whole" if self.known == bool(self.visible) else "misjudged"


@pytest.fixture(scope="module")
async def proxied() -> AsyncGenerator[tuple[str, Proxy]]:
    async with proxied_kafka() as proxied:
        yield proxied


async def late_commit(desk: Desk, proxy: Proxy, number: int, **options: float) -> Round:
    ledger, running = await desk.session(desk.memory(f"owner-{number}"), **options)
    first = number * 1000
    await ledger.commit(desk.write(first))
    proxy.hold_next_commit()
    await ledger.commit(desk.write(first + 1))
    assert proxy.held is not None, "the commit went by without an EndTxn to hold"

    def write(draft: Draft) -> None:
        draft.add(desk.state(first + 2))
        for record in range(RECORDS):
            draft.add(desk.change(first + 2 + record, RECORD_BYTES))

    (problem,) = await asyncio.gather(ledger.commit(write), return_exceptions=True)
    assert problem is None or isinstance(problem, SessionEnded)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await desk.session(desk.memory(f"successor-{number}"))
    keys = set(await desk.committed(desk.names.changes("company")))
    assert {f"acme/{first}", f"acme/{first + 1}"} <= keys
    visible = sum(f"acme/{first + 2 + record}" in keys for record in range(RECORDS))
    return Round(problem is None, visible, proxy.late[-1])


@pytest.mark.figures
async def test_a_late_commit_request_cannot_end_the_transaction_after_its_own(
    proxied: tuple[str, Proxy], make_desk: MakeDesk
) -> None:
    servers, proxy = proxied
    desk = await make_desk(servers, REQUEST_SECONDS)

    rounds = [await late_commit(desk, proxy, number) for number in range(ROUNDS)]

    print(f"\nwith renewal: {Counter(each.outcome for each in rounds)} {rounds}")
    assert {(each.known, each.visible) for each in rounds} == {(True, RECORDS)}
    assert 0 not in {each.answer for each in rounds}


@pytest.mark.figures
async def test_without_renewal_the_same_late_request_tears_transactions(
    proxied: tuple[str, Proxy], make_desk: MakeDesk
) -> None:
    """The control: were it not so, the test above would show nothing, or the renewal could go."""
    servers, proxy = proxied
    desk = await make_desk(servers, REQUEST_SECONDS)

    rounds = [await late_commit(desk, proxy, number, doubt_seconds=float("inf")) for number in range(CONTROLS)]

    print(f"\nwithout renewal: {Counter(each.outcome for each in rounds)} {rounds}")
    assert "torn" in {each.outcome for each in rounds}
