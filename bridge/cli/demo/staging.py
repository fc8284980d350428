"""Setting the stage: a Kafka, a Copper double and the bridge in one process, and everything put away at the end.

Called by `bridge.cli.sandboxes` through the package. State is throw-away; a Kafka that was given keeps the topics.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import typer
from pydantic import TypeAdapter, ValidationError

from bridge.app import Running, serving
from bridge.cli.demo import screen as lines
from bridge.cli.demo.program import Program, StoryBroken
from bridge.cli.demo.screen import Screen
from bridge.cli.demo.story import Cast, afterwards, furnish, story
from bridge.cli.demo.witness import Witness
from bridge.cli.exits import Exit
from bridge.client.connecting import KafkaTrouble, producer
from bridge.client.listening import listen
from bridge.contract.topics import TopicNames
from bridge.sandbox.copper import CopperDouble, DoubleAccount, Knobs
from bridge.sandbox.kafka import sandbox_kafka
from bridge.sandbox.kafka.answering import brokers
from bridge.sandbox.kafka.ports import free_ports
from bridge.settings import Settings
from bridge.settings.values import Servers
from bridge.telemetry import logs

ACCOUNT = DoubleAccount("acme", "acme-key", "ops@acme.example")
GRACE_SECONDS = 10
_MOST_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo plays on. `kafka` says in words what Kafka it is."""

    settings: Settings
    kafka: str
    copper: CopperDouble
    names: TopicNames
    screen: Screen
    witness: Witness
    exit_after: float | None

    @property
    def servers(self) -> str:
        """Where Kafka is."""
        return self.settings.kafka.bootstrap_servers


async def demo(*, kafka: str | None, exit_after: float | None, seed: int, port: int) -> int:
    """Run the demo; the exit code.

    Args:
        kafka: `host:port` of a Kafka to use, with topics of their own; None starts one.
        exit_after: end after so many seconds of the bridge at work, or as soon as everything was seen. The exit code
            then is 0 only if an event of every listed trigger and a reply of success to every listed action were read
            back from Kafka. None: go on until asked to stop.
        seed: of everything that happens by chance.
        port: of the bridge's internal port; 0 takes a free one.

    Raises:
        NoKafka, KafkaDied, EngineRefused, JarsUnresolved: as `sandbox_kafka` does.
    """
    stop, working = asyncio.Event(), asyncio.Event()
    playing = asyncio.create_task(_play(kafka, exit_after, seed, port, stop, working))

    def asked_to_stop() -> None:
        stop.set()
        if not working.is_set():  # there is nothing to drain yet
            playing.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop)
    try:
        return await playing
    except KafkaTrouble as trouble:
        typer.echo(str(trouble), err=True)
        return Exit.KAFKA
    except OSError as problem:
        if not port:
            raise
        typer.echo(f"port {port} cannot be used: {os.strerror(problem.errno or 0)}", err=True)
        return Exit.FAILED
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        typer.echo("stopped before it began", err=True)
        return Exit.OK if exit_after is None else Exit.FAILED


async def _play(
    kafka: str | None, exit_after: float | None, seed: int, port: int, stop: asyncio.Event, working: asyncio.Event
) -> int:
    screen = Screen()
    screen.say(lines.BANNER)
    if kafka is None:
        screen.say("  starting Kafka ...\n")
    else:
        await _answers(kafka)
    logs.configure("warning", "auto")
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(sandbox_kafka(kafka))
        knobs = Knobs(index_lag=1.0, webhook_delay=(0.1, 1.5))
        copper = await stack.enter_async_context(CopperDouble([ACCOUNT], knobs=knobs, seed=seed))
        furnish(copper.account(ACCOUNT.name), seed)
        prefix = "copper" if kafka is None else f"demo-{uuid4().hex[:8]}"
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="copper-bridge-demo-"))
        replicas = 1 if kafka is None else min(_MOST_REPLICAS, await brokers(_first(kafka)))
        settings = _settings(broker.bootstrap_servers, copper, prefix, replicas, state, port)
        names = TopicNames(prefix)
        stage = Stage(settings, broker.how, copper, names, screen, Witness(names), exit_after)
        working.set()
        return await _perform(stage, stop)


async def _answers(kafka: str) -> None:
    """See to it that a Kafka that was given is there: the bridge itself would wait for it."""
    try:
        TypeAdapter(Servers).validate_python(kafka)
    except ValidationError:
        raise typer.BadParameter("must be HOST:PORT", param_hint="--kafka") from None
    if not await brokers(_first(kafka)):
        raise KafkaTrouble(f"no Kafka answers at {kafka}")


def _first(servers: str) -> str:
    return servers.partition(",")[0].strip()


def _settings(servers: str, copper: CopperDouble, prefix: str, replicas: int, state: str, port: int) -> Settings:
    """One partition, for there is one account; as patient as this Copper deserves, so that nobody waits for nothing."""
    (public,) = free_ports(1)
    return Settings.model_validate(
        {
            "instance": "copper-bridge" if prefix == "copper" else prefix,
            "copper": {"base_url": copper.base_url, "timeout": "6s", "lateness": "1s", "index_lag": "3s"},
            "accounts": {ACCOUNT.name: {"user_email": ACCOUNT.user_email, "api_key": ACCOUNT.api_key}},
            "kafka": {"bootstrap_servers": servers},
            "topics": {"prefix": prefix, "partitions": 1, "replication_factor": replicas},
            "events": {"poll_every": "8s"},
            "webhooks": {"public_url": f"http://127.0.0.1:{public}"},
            "server": {
                "public": {"host": "127.0.0.1", "port": public},
                "internal": {"host": "127.0.0.1", "port": port},
            },
            "state": {"dir": state},
            "shutdown_grace": f"{GRACE_SECONDS}s",
        }
    )


async def _perform(stage: Stage, stop: asyncio.Event) -> int:
    """From the bridge's start to its drained end."""
    screen = stage.screen
    try:
        async with (
            producer(stage.servers) as mouth,
            _reading(stage) as reading,
            serving(stage.settings, stop) as bridge,
        ):
            await _watch(stage, bridge, mouth, reading, stop)
            began = time.monotonic()
            screen.say("\ndraining ...")
        screen.say(f"drained in {time.monotonic() - began:.1f} s: nothing is in flight, everything is committed. Bye.")
    except TimeoutError:
        screen.say(f"work was cut off: it was not finished within {GRACE_SECONDS} s")
        return Exit.FAILED
    return _verdict(stage)


def _verdict(stage: Stage) -> int:
    missing = stage.witness.missing()
    if stage.exit_after is None or not missing:
        return Exit.OK
    stage.screen.say(f"{stage.witness.tally()}; not seen: {', '.join(missing)}")
    return Exit.FAILED


@asynccontextmanager
async def _reading(stage: Stage) -> AsyncGenerator[asyncio.Task[None]]:
    """Read back and show what is committed, to the drained end. The task ends by itself only when Kafka fails it."""
    reading = asyncio.create_task(_read(stage))
    try:
        yield reading
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def _read(stage: Stage) -> None:
    wanted = lines.patterns(stage.names)
    async with aclosing(listen(stage.servers, wanted, since=0.0, ready=lambda _: None)) as records:
        async for record in records:
            stage.witness.take(record)
            stage.screen.show(record)


async def _watch(
    stage: Stage, bridge: Running, mouth: object, reading: asyncio.Task[None], stop: asyncio.Event
) -> None:
    """Let the story be told until it ends, time is over, Kafka fails, or somebody asks to stop."""
    telling = asyncio.create_task(_tell(stage, bridge, mouth))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([telling, stopping, reading], timeout=stage.exit_after, return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            await telling
    finally:
        for task in (telling, stopping):
            task.cancel()
        await asyncio.wait([telling, stopping])


async def _tell(stage: Stage, bridge: Running, mouth: object) -> None:
    began, screen, account = time.monotonic(), stage.screen, stage.copper.account(ACCOUNT.name)
    await bridge.ready.wait()
    screen.say(lines.places(stage.copper.base_url, stage.servers, stage.kafka, bridge, time.monotonic() - began))
    screen.say(lines.how_to_talk(stage.names, stage.servers, ACCOUNT.name))
    await stage.witness.snapshots()
    program = Program(mouth, stage.names, ACCOUNT.name, stage.witness, screen)
    cast = Cast(stage.copper, account, program, stage.witness, screen)
    try:
        await story(cast)
    except* StoryBroken as broken:
        screen.say(f"\nThe story breaks off: {broken.exceptions[0]}", style="bold red")
    else:
        screen.say(f"\n{stage.witness.tally()}", style="bold")
    if stage.exit_after is None:
        screen.say("It goes on at a gentle pace; Ctrl-C ends it.\n")
        await afterwards(cast)
