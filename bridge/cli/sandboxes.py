"""`sandbox kafka`, `sandbox copper` and the frame of `demo`: run until Ctrl-C or SIGTERM, say how to get at it."""

import asyncio
import signal
from collections.abc import Sequence

import typer

from bridge.cli.arguments import seconds
from bridge.cli.exits import Exit
from bridge.sandbox.copper import DoubleAccount, run_copper
from bridge.sandbox.kafka import EngineRefused, JarsUnresolved, KafkaDied, NoKafka, sandbox_kafka
from bridge.sandbox.kafka.ports import free_ports

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_NO_KAFKA = (NoKafka, KafkaDied, EngineRefused, JarsUnresolved)


def run_demo(*, kafka: str | None, exit_after: str | None, seed: int, port: int) -> int:
    """The demo; its exit code."""
    end = None if exit_after is None else seconds(exit_after)
    from bridge.cli.demo import demo  # the demo brings the whole bridge with it

    try:
        return int(asyncio.run(demo(kafka=kafka, exit_after=end, seed=seed, port=port)))
    except _NO_KAFKA as problem:
        typer.echo(str(problem), err=True)
        return Exit.FAILED


def run_kafka(nodes: int) -> int:
    """A Kafka until a signal; the exit code."""
    try:
        asyncio.run(_kafka(nodes))
    except _NO_KAFKA as problem:
        typer.echo(str(problem), err=True)
        return Exit.FAILED
    return Exit.OK


async def _kafka(nodes: int) -> None:
    stop = _signalled()
    starting = asyncio.create_task(_serve_kafka(nodes, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await starting


async def _serve_kafka(nodes: int, stop: asyncio.Event) -> None:
    async with sandbox_kafka(nodes=nodes) as kafka:
        typer.echo(kafka.bootstrap_servers)
        typer.echo(f"{kafka.how}. Topics are not made by themselves. Ctrl-C ends it.", err=True)
        await stop.wait()


def run_copper_double(host: str, port: int, names: Sequence[str], *, seed: int, people: bool) -> int:
    """A Copper double until a signal; the exit code."""
    accounts = {name: DoubleAccount(name, f"{name}-key", f"ops@{name}.example") for name in names}
    (port,) = (port,) if port else free_ports(1)
    typer.echo(f"http://{host}:{port}/developer_api/v1")
    if host not in _LOOPBACK:
        typer.echo(
            f"listening on {host}: whoever reaches port {port} controls the double, without a password", err=True
        )
    for account in accounts.values():
        typer.echo(f"account {account.name}: user_email {account.user_email}, api_key {account.api_key}", err=True)
    asyncio.run(_copper(host, port, accounts, seed=seed, people=people))
    return Exit.OK


async def _copper(host: str, port: int, accounts: dict[str, DoubleAccount], *, seed: int, people: bool) -> None:
    await run_copper(host, port, accounts, seed=seed, people=people, stop=_signalled())


def _signalled() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
