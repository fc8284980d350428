"""Later: a flow that begins some time after its session, so that those of many accounts do not begin together.

Made by `bridge.app` around flows that call as soon as they begin; how long each waits is decided by `policy.pacing`.
"""

import asyncio
from dataclasses import dataclass

from bridge.shard.parts import Flow


@dataclass(frozen=True, slots=True)
class Later:
    """The flow, begun in so many seconds."""

    flow: Flow
    seconds: float

    async def run(self) -> None:
        """Wait, then work for ever."""
        await asyncio.sleep(self.seconds)
        await self.flow.run()
