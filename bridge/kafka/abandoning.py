"""What remains of an aiokafka client whose `stop` did not do its work, and how it is ended.

Without a broker, `stop` never gets to most of what it is to stop: the sender and its requests, the fetcher, which then
connects again and again for ever, and the group's tasks. Called by `connection.let_go` only. Knows private parts of
aiokafka 0.14, which is pinned; a test finds what is left running.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka.errors import KafkaError

END_SECONDS = 0.5
"""More than aiokafka's pause after a request that failed."""

PARTS = {
    "_sender": ("sender_task",),
    "_coordinator": ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task"),
    "_fetcher": ("_fetch_task",),
}


async def abandon(client: Any) -> None:
    """End every task of a producer or consumer and close its sockets, whatever it is in the middle of."""
    inner = getattr(client, "client", None) or getattr(client, "_client", None)
    await _close(inner)
    tasks = _tasks(client)
    # The first time, the sender begins to wait for its requests, which end because the sockets are closed; the second
    # time, it gives up those that are still looking for a coordinator.
    for _ in range(2):
        for task in tasks:
            task.cancel()
        await _settle(tasks)
    await _close(inner)  # what was looking may have connected anew
    _fail_batches(getattr(client, "_message_accumulator", None))  # last: a failed batch breaks a request that ends


def _tasks(client: Any) -> list["asyncio.Task[Any]"]:
    parts = [(getattr(client, part, None), names) for part, names in PARTS.items()]
    found = [getattr(part, name, None) for part, names in parts for name in names]
    return [task for task in [*found, *getattr(parts[-1][0], "_pending_tasks", ())] if task is not None]


def _fail_batches(accumulator: Any) -> None:
    """Whoever waits for a delivery is told; a cancelled sender tells nobody."""
    if accumulator is None:
        return
    batches = [batch for waiting in accumulator._batches.values() for batch in waiting]  # noqa: SLF001 - see above
    accumulator._pending_batches.update(batches)  # noqa: SLF001 - from where a failed batch is removed, be it there or not
    accumulator.fail_all(KafkaError("the producer was let go of"))
    for batch in batches:
        batch._drain_waiter.exception()  # noqa: SLF001 - seldom awaited; asyncio would complain much later


async def _close(inner: Any) -> None:
    if inner is None:
        return
    await _settle([asyncio.ensure_future(inner.close())])
    # Nobody updates metadata now: those who wait for it would do so for ever.
    updated = inner._md_update_fut or asyncio.get_running_loop().create_future()  # noqa: SLF001 - see above
    if not updated.done():
        updated.set_result(False)
    inner._md_update_fut = updated  # noqa: SLF001 - see above


async def _settle(tasks: Iterable["asyncio.Future[Any]"]) -> None:
    running = [task for task in tasks if not task.done()]
    if running:
        await asyncio.wait(running, timeout=END_SECONDS)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
