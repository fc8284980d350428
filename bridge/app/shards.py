"""Owned shards: a session task for each, made of all the parts that work in it.

Called by `app.running`. Starts what membership says is ours and stops what is ours no more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.app.flows import flows
from bridge.app.world import FOLLOWED, World
from bridge.contract.topics import TopicNames, topic_specs
from bridge.kafka.changelog import Changelog
from bridge.kafka.ledger import Ledger
from bridge.policy.health import part_of
from bridge.policy.sessions import Ending
from bridge.shard.memory import Memory
from bridge.shard.opening import HANDOVER_SECONDS
from bridge.shard.parts import Parts, Retention
from bridge.shard.session import own


class Shards:
    """The sessions of this process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._leave: dict[int, asyncio.Event] = {}
        """What asks each task to drain and end."""
        self.open: set[int] = set()
        self.changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep one task per owned shard until asked to stop; then let them drain. First all accounts are learnt."""
        membership, following = self._world.membership, self._world.following
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop.wait())
            if following is not None:
                known = group.create_task(following.caught_up.wait())
                await asyncio.wait([stopping, known], return_when=asyncio.FIRST_COMPLETED)
                known.cancel()
            while not stop.is_set():
                membership.changed.clear()
                self._follow(group)
                changing = group.create_task(membership.changed.wait())
                await asyncio.wait([stopping, changing, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
                changing.cancel()
            for leave in self._leave.values():
                leave.set()

    def _follow(self, group: asyncio.TaskGroup) -> None:
        """Start what is missing, let go of what is lost; what comes back while it drains starts after that."""
        self._tasks = {shard: task for shard, task in self._tasks.items() if not task.done()}
        owned = self._world.membership.owned
        for shard in self._tasks.keys() - owned:
            self._let_go(shard)
        for shard in owned - self._tasks.keys():
            self._leave[shard] = asyncio.Event()
            self._tasks[shard] = group.create_task(self._own(shard, self._leave[shard]), name=f"shard {shard}")

    def _let_go(self, shard: int) -> None:
        """Lost: what works drains while the successor waits for it, what does not yet must not fence anybody."""
        task, leave = self._tasks[shard], self._leave[shard]
        if shard in self.open and not leave.is_set():
            leave.set()
            asyncio.get_running_loop().call_later(HANDOVER_SECONDS, task.cancel)
        elif shard not in self.open:
            task.cancel()

    async def _own(self, shard: int, stop: asyncio.Event) -> None:
        memory = _memory(self._world, shard)
        try:
            await own(self._parts(shard, memory), stop)
        finally:
            self.open.discard(shard)
            self._world.waiting.pop(shard, None)
            self._world.health.gone(part_of(shard))
            memory.close()

    def _parts(self, shard: int, memory: Memory) -> Parts:
        world, observing = self._world, self._world.observing
        topics = tuple(_changelog_topics(world.names))

        def ledger(intact: Callable[[], Awaitable[bool]]) -> Ledger:
            name = f"{world.settings.instance}.{shard}"
            return Ledger(
                world.connection,
                name,
                shard,
                memory,
                renewed=intact,
                held=lambda: shard in world.membership.owned,
                observe=observing.committed,
            )

        def opened(number: int) -> None:
            self.open.add(number)
            self.changed.set()
            observing.session_opened(number)

        def ended(number: int, how: Ending, detail: str) -> None:
            self.open.discard(number)
            self.changed.set()
            lost = how in {Ending.STOPPED, Ending.FENCED} and number not in world.membership.owned
            observing.session_ended(number, Ending.LOST if lost else how, detail)

        return Parts(
            shard=shard,
            memory=memory,
            ledger=ledger,
            changelog=Changelog(world.connection, world.watermarks, topics, shard),
            intake=world.intake,
            input_ends=lambda: world.watermarks.ends(world.inputs, shard),
            membership=world.membership,
            flows=lambda writing, fenced_at: flows(world, shard, memory, writing, fenced_at),
            retention=_retention(world.names),
            clock=time.time,
            opened=opened,
            ended=ended,
            moved=lambda doing: world.health.moved(part_of(shard), doing),
        )


def _memory(world: World, shard: int) -> Memory:
    settings = world.settings
    identity = {
        "cluster": world.cluster,
        "instance": settings.instance,
        "prefix": settings.topics.prefix,
        "partitions": str(settings.topics.partitions),
        "shard": str(shard),
    }
    path = Path(settings.state.dir) / f"shard-{shard}.sqlite"
    return Memory(path, identity, _changelog_topics(world.names), time.time)


def _changelog_topics(names: TopicNames) -> dict[str, tuple[str, str]]:
    states = {names.state(entity): ("state", entity) for entity in FOLLOWED}
    return {**states, names.cursors: ("cursor", ""), names.journal: ("journal", "")}


def _retention(names: TopicNames) -> Retention:
    config = {spec.name: spec.config for spec in topic_specs(names)}
    journal, cursors = config[names.journal], config[names.cursors]
    return Retention(int(journal["retention.ms"]) / 1000, int(cursors["delete.retention.ms"]) / 1000)
