"""A group of members in this process, on a topic of its own, and what they were told."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bridge.kafka.connection import Connection
from bridge.kafka.membership import Membership
from tests.integration.kafka.waiting import until

SHARDS = 12
ALL = frozenset(range(SHARDS))
SESSION_S = 6.0


@dataclass
class Group:
    """One group on one topic."""

    connection: Connection
    topic: str
    stack: AsyncExitStack
    told: list[frozenset[int]] = field(default_factory=list)

    def member(self, member_id: str | None = None, *, name: str = "somebody") -> Membership:
        return Membership(
            self.connection,
            group=self.topic,
            topic=self.topic,
            session_seconds=SESSION_S,
            name=member_id or name,
            member_id=member_id,
            notice=self._note,
        )

    def _note(self, shards: Collection[int]) -> None:
        self.told.append(frozenset(shards))

    async def join(
        self, member_id: str | None = None, *, name: str = "somebody"
    ) -> tuple[Membership, "asyncio.Task[None]"]:
        membership = self.member(member_id, name=name)
        running = asyncio.create_task(membership.run())
        self.stack.push_async_callback(leave, running)
        await until(lambda: membership.joined)
        return membership, running


async def leave(running: "asyncio.Task[None]") -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def shared(members: Mapping[str, Membership]) -> dict[int, str]:
    """Shard to member, once they have every shard between them, as many as any other to within one."""

    def fair() -> bool:
        shares = sorted(len(each.owned) for each in members.values())
        return sum(shares) == SHARDS and shares[-1] - shares[0] <= 1

    await until(fair)
    return {shard: name for name, each in members.items() for shard in each.owned}
