"""Looking: what nobody tells and has to be looked at now and then, for metrics and for the probes.

Whether Kafka answers and how far the inputs have been worked off; who owns which shard; budgets, commands that wait,
the delay of the event loop. Nothing of it is on the way of a command or an event. One task of the process, started by
`app.running`.
"""

import asyncio
from collections import Counter, deque

from bridge.app.pacing import intervals_of
from bridge.app.world import World, enabled
from bridge.contract.sharding import shard_of
from bridge.kafka.connection import heed_cancellation
from bridge.kafka.owners import owners
from bridge.telemetry import logs
from bridge.telemetry.metrics import Metrics

LOOK_SECONDS = 3.0
OWNERS_SECONDS = 10.0
"""Between two questions who owns what; it is asked at once when the group has shared out anew."""
TICK_SECONDS = 0.25
AT_ONCE = 50
"""So many accounts are counted before others get their turn."""
LAG_SECONDS = 30.0
"""The worst delay of so long is shown: longer than Prometheus takes to come again."""


async def looking(world: World, changed: asyncio.Event) -> None:
    """Look until cancelled; `changed` is set when Kafka goes out of reach or comes back."""
    reached, counted = True, frozenset[str]()
    metrics, lags = world.observing.metrics, deque[float](maxlen=round(LAG_SECONDS / TICK_SECONDS))
    for entity in enabled(world.settings):
        metrics.scan_interval.labels(entity).set(intervals_of(world.settings, entity).slowest)
    loop, told, due = asyncio.get_running_loop(), 0, 0.0
    async with asyncio.TaskGroup() as group:
        group.create_task(_feel(lags))
        while True:
            await _ask(world, metrics)
            world.accounts.rekeyed()
            if world.health.reached and (told != world.membership.told or loop.time() >= due):
                told, due = world.membership.told, loop.time() + OWNERS_SECONDS
                await _ask_owners(world)
            heed_cancellation()
            world.health.moved("looking", "asking Kafka")
            if world.health.reached is not reached:
                reached = world.health.reached
                _tell(reached=reached)
                changed.set()
            metrics.loop_lag.set(max(lags, default=0.0))
            counted = await _count(world, metrics, counted)
            await asyncio.sleep(LOOK_SECONDS)


async def _feel(lags: deque[float]) -> None:
    """How late a timer comes: as late as everything else in this process."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append(max(0.0, loop.time() - due))


async def _ask(world: World, metrics: Metrics) -> None:
    """Where the inputs end; whoever tells that has been reached."""
    positions = world.intake.positions()
    ends = await world.watermarks.highest(world.inputs, positions.keys() or [0])
    world.health.asked(answered=ends is not None)
    lag = Counter[str]()
    for (topic, shard), end in (ends or {}).items():
        lag[topic] += max(0, end - positions[shard].get(topic, 0)) if shard in positions else 0
    for topic, count in lag.items():
        metrics.input_lag.labels(topic).set(count)


async def _ask_owners(world: World) -> None:
    """What was told last stands while nothing is: a rebalance is over in a moment, and without Kafka nothing moves."""
    found = await owners(world.connection, group=world.settings.instance, topic=world.names.cursors)
    if found is not None:
        world.owners.clear()
        world.owners.update(found)


def _tell(*, reached: bool) -> None:
    if reached:
        logs.info(logs.Event.KAFKA_BACK)
    else:
        logs.warning(logs.Event.KAFKA_SILENT)


async def _count(world: World, metrics: Metrics, before: frozenset[str]) -> frozenset[str]:
    """The accounts that are served here; those of `before` that are so no more are another process's to show."""
    waiting = Counter[str]()
    for each in world.waiting.values():
        waiting += each()
    owned, partitions, served = world.membership.owned, world.settings.topics.partitions, {**world.accounts.served}
    here = frozenset(name for name in served if shard_of(name, partitions) in owned)
    for name in before - here:
        metrics.no_longer(name)
    for number, name in enumerate(here, 1):
        metrics.commands_waiting.labels(name).set(waiting[name])
        for lane, calls in served[name].used().items():
            metrics.budget_used.labels(name, lane).set(calls)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)  # a thousand accounts take long, and everybody else waits meanwhile
    return here
