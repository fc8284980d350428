"""Hosting: the accounts of one shard, each with its flows, begun and ended while the session goes on.

An account that is connected, paused or gone changes nothing for the others. Called by the shard session as one flow;
what an account's flows are is the function it is given.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from bridge.contract.accounts import Standing
from bridge.policy.sessions import Ending, SessionEnded
from bridge.shard.parts import Flow


class Hosting:
    """The flow. `hosted` gives the shard's accounts and how they stand, `changed` is set when it may be otherwise."""

    def __init__(
        self,
        hosted: Callable[[], Mapping[str, Standing]],
        flows: Callable[[str, Standing, int], Sequence[Flow]],
        changed: asyncio.Event,
    ) -> None:
        """`flows` makes what works for an account that stands so, given how many accounts begin together."""
        self._hosted = hosted
        self._flows = flows
        self._changed = changed
        self._standing: dict[str, Standing] = {}
        self._tasks: dict[str, Collection[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Keep every account's flows going for ever; the first that fails ends all."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                hosted = self._hosted()
                for account in [each for each in self._standing if hosted.get(each) is not self._standing[each]]:
                    await self._end(account)
                coming = hosted.keys() - self._standing.keys()
                for account in coming:
                    self._begin(group, account, hosted[account], len(coming))
                await self._changed.wait()

    def _begin(self, group: asyncio.TaskGroup, account: str, standing: Standing, together: int) -> None:
        self._standing[account] = standing
        self._tasks[account] = [group.create_task(eternal(flow)) for flow in self._flows(account, standing, together)]

    async def _end(self, account: str) -> None:
        del self._standing[account]
        tasks = self._tasks.pop(account)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def eternal(flow: Flow) -> None:
    """Run a flow that nobody asks to return.

    Raises:
        SessionEnded: it has returned all the same.
    """
    await flow.run()
    raise SessionEnded(Ending.BROKEN, f"{type(flow).__name__} returned although nobody asked it to")
