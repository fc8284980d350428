"""The life of the process: make the parts, run them side by side, stop them in order.

Asked to stop, shards drain first, within the grace period; then the group is left and everything is closed.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import bridge
from bridge.app.connecting import Place
from bridge.app.doors import accounts_api, consent
from bridge.app.health import Health
from bridge.app.hooks import Hooks
from bridge.app.looking import looking
from bridge.app.observing import Observing, stray
from bridge.app.reporting import process_of, status_before, status_of
from bridge.app.shards import Shards
from bridge.app.tracing import Exporting
from bridge.app.webhooks import Tokens
from bridge.app.world import World, made
from bridge.policy.health import PATIENCE_SECONDS
from bridge.settings import Settings
from bridge.telemetry import logs
from bridge.web.internal import internal
from bridge.web.ports import listening
from bridge.web.public import public

T = TypeVar("T")


class StateInUse(Exception):
    """Another process works in the same state directory."""


class StoppedEarly(Exception):
    """Asked to stop before anything was begun: while Kafka was not there yet."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running bridge, as seen from inside its process."""

    public_port: int
    internal_port: int
    ready: asyncio.Event
    """Set once every owned shard is open for the first time."""


async def run(settings: Settings, load: Callable[[], Settings] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 after a clean drain, 1 when the grace period cut work off.

    `load` reads the settings again when the files of their secrets have changed.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(stray)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logs.info(
        logs.Event.STARTING, version=bridge.__version__, instance=settings.instance, accounts=len(settings.accounts)
    )
    try:
        with contextlib.suppress(StoppedEarly):
            async with serving(settings, stop, load):
                await stop.wait()
                logs.info(logs.Event.STOPPING, grace_s=settings.shutdown_grace.total_seconds())
    except TimeoutError:
        logs.warning(logs.Event.STOPPED, clean=False)
        return 1
    else:
        logs.info(logs.Event.STOPPED, clean=True)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return 0


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, stop: asyncio.Event, load: Callable[[], Settings] | None = None
) -> AsyncIterator[Running]:
    """The bridge at work while the context lasts; leaving it, or setting `stop`, drains it. `load` as for `run`.

    Raises:
        TopicsUnfit: the topics are not as they must be.
        MembershipContested: another process uses the same member id.
        StateInUse: another process uses the same state directory.
        TimeoutError: work was cut off when the grace period ended.
        StoppedEarly: `stop` was set while Kafka was waited for.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone_in(Path(settings.state.dir)))
        exporting, health = Exporting(settings, os.environ), _health(settings)
        observing, process = Observing(exporting.tracing), process_of(settings)
        stack.enter_context(logs.heard(observing.history.happened))
        at_work: list[tuple[World, Shards, Place]] = []
        page = internal(
            observing.registry,
            alive=health.alive,
            ready=health.ready,
            status=lambda: status_of(process, *at_work[0][:2]) if at_work else status_before(process, observing),
            history=observing.history.shown,
            accounts=accounts_api(lambda: (at_work[0][0], at_work[0][2]) if at_work else None, settings),
        )
        inside = settings.server.internal
        internal_port = await stack.enter_async_context(
            listening(page, inside.host, inside.port, unexpected=observing.unexpected)
        )
        world, inbox = await _unless(stop, made(settings, stack, load, observing, health, exporting.tracing))
        shards = Shards(world)
        health.serve(world.membership, shards.open)
        place = Place(world.names, settings.topics.partitions, inbox.put)
        at_work.append((world, shards, place))
        ready = asyncio.Event()
        hooks = Hooks(
            Tokens(world.secrets.now, world.accounts.secret, time.monotonic).of,
            world.names,
            settings.topics.partitions,
            inbox,
            world.observing.hook,
            window=settings.webhooks.window.total_seconds(),
            clock=time.time,
        )
        door = settings.server.public
        public_port = await stack.enter_async_context(
            listening(
                public(hooks.receive, world.observing.hook, consent=consent(world, place)),
                door.host,
                door.port,
                most=door.max_connections,
                refused=world.observing.turned_away,
                unexpected=world.observing.unexpected,
            )
        )
        work = asyncio.create_task(_work(world, shards, ready, stop, exporting))
        try:
            yield Running(public_port, internal_port, ready)
        finally:
            stop.set()
            await work


async def _unless(stop: asyncio.Event, making: Coroutine[None, None, T]) -> T:
    """What is being made, unless one is asked to stop first."""
    work, stopping = asyncio.create_task(making), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise StoppedEarly
        return await work
    finally:
        stopping.cancel()
        work.cancel()
        await asyncio.wait([work])


async def _work(world: World, shards: Shards, ready: asyncio.Event, stop: asyncio.Event, exporting: Exporting) -> None:
    """Membership and intake serve the shards: they end when the shards have drained, or the grace period has passed."""
    grace = world.settings.shutdown_grace.total_seconds()
    try:
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(world.membership.run()), group.create_task(world.intake.run())]
            if world.following is not None:
                serving.append(group.create_task(world.following.run()))
            serving.append(group.create_task(looking(world, shards.changed)))
            watching = group.create_task(_tell_ready(world, shards, ready))
            owning = group.create_task(shards.run(stop))
            stopping = group.create_task(stop.wait())
            await asyncio.wait([owning, stopping], return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(grace) as limit:
                await asyncio.wait([owning])
            for task in (*serving, watching, stopping):
                task.cancel()
        await exporting.flush((limit.when() or 0.0) - asyncio.get_running_loop().time())
    except ExceptionGroup as failed:
        stop.set()
        raise failed.exceptions[0] from None


async def _tell_ready(world: World, shards: Shards, ready: asyncio.Event) -> None:
    was = False
    while True:
        shards.changed.clear()
        if (now := world.health.ready().good) != was:
            world.observing.ready(world.membership.owned, now=now)
            was = now
        if now:
            ready.set()
        await shards.changed.wait()


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateInUse(f"{directory} is in use by another process; give each its own state.dir") from None
        yield


def _health(settings: Settings) -> Health:
    """Its patience is longer than any of our own deadlines, which are made of Kafka's."""
    patience = max(PATIENCE_SECONDS, 6 * settings.kafka.request_timeout.total_seconds())
    return Health(asyncio.get_running_loop().time, patience)
