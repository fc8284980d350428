"""Letting go of clients and heeding cancellations, whatever a library does with them."""

import asyncio
import contextlib

import pytest

from bridge.kafka.connection import heed_cancellation, let_go


async def swallows_cancellation() -> None:
    """Waits as libraries do that take a cancellation for their own business."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def test_a_loop_whose_library_swallows_the_cancellation_still_ends() -> None:
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while True:
            turns += 1
            await swallows_cancellation()
            heed_cancellation()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()

    await asyncio.wait([task], timeout=5)

    assert task.cancelled()
    assert turns == 1


async def test_nobody_who_was_not_cancelled_is_stopped() -> None:
    heed_cancellation()
    async with asyncio.timeout(0.01) as limit:
        await swallows_cancellation()  # a deadline within the library is its own affair
    assert limit.expired()
    heed_cancellation()


class Client:
    """Something whose stop ends as a test wants."""

    def __init__(self, problem: BaseException | None = None) -> None:
        self._problem = problem
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True
        if self._problem is not None:
            raise self._problem


@pytest.mark.parametrize("problem", [None, RuntimeError("half done"), asyncio.CancelledError()])
async def test_however_a_client_stops_its_owner_goes_on(problem: BaseException | None) -> None:
    """aiokafka's fetcher ends its own stop as cancelled when it is stopped in the pause after a failed fetch."""
    client = Client(problem)

    await let_go(client)

    assert client.stopped
