"""`progress`, `wait` and `deletes ls`: what a bridge has told, read from Kafka without asking it for anything."""

import contextlib
import time
from collections.abc import Coroutine, Sequence
from dataclasses import asdict

import orjson
import typer
from rich.console import Console
from rich.table import Table

from bridge.cli.arguments import followed, moment, seconds
from bridge.cli.exits import Exit, exit_code
from bridge.cli.hearing import SNAPSHOT, Hold, holds, running
from bridge.cli.lines import of_watermark
from bridge.cli.reaching import Where
from bridge.cli.screen import Screen, screen
from bridge.client.notifications import following, history
from bridge.client.waiting import Waited, wait_complete
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.moments import utc


def watch_snapshots(where: Where, account: str | None) -> int:
    """Show the snapshots that are being taken until they are done; the exit code."""
    with screen(Console(stderr=True)) as shown:
        return exit_code(_watch_snapshots(where, account, shown))


async def _watch_snapshots(where: Where, account: str | None, shown: Screen) -> int:
    told, since = await history(where.kafka, where.names)
    taken = {which: said for which, said in running(told).items() if account in {None, said.account}}
    if not taken:
        typer.echo("no snapshot is being taken", err=True)
        return Exit.OK
    for said in taken.values():
        shown.show(said)
    async with contextlib.aclosing(following(where.kafka, since)) as news:
        async for said in news:
            if account in {None, said.account} and said.told in SNAPSHOT:
                shown.show(said)
                taken = {**running([*taken.values(), said])}
            if not taken:
                break
    return Exit.OK


def wait_for(where: Where, account: str, entities: Sequence[str], *, to: str, timeout: str) -> int:
    """Wait for watermarks and print them; the exit code."""
    wanted = list(map(followed, entities)) or CATALOGUE.followed
    until, within_s = moment(to, time.time()), seconds(timeout)
    work = wait_complete(where.kafka, where.names, account, wanted, until, within_s)
    return exit_code(_wait(work, wanted, until))


async def _wait(work: Coroutine[None, None, Waited], wanted: Sequence[str], until: float) -> int:
    waited = await work
    for entity in wanted:
        if (mark := waited.watermarks.get(entity)) is not None:
            typer.echo(of_watermark(mark))
        else:
            typer.echo(f"{entity}: nothing told since {utc(until)}", err=True)
    if waited.complete:
        return Exit.OK
    typer.echo(f"not complete to {utc(until)} in time", err=True)
    return Exit.NO_REPLY


def list_holds(where: Where, *, as_objects: bool) -> int:
    """Print whose deletes are held back; the exit code."""
    return exit_code(_list_holds(where, as_objects=as_objects))


async def _list_holds(where: Where, *, as_objects: bool) -> int:
    told, _ = await history(where.kafka, where.names)
    held = holds(told)
    if as_objects:
        for hold in held:
            typer.echo(orjson.dumps(asdict(hold)))
    elif held:
        Console().print(_table(held))
    else:
        typer.echo("no deletes are held back", err=True)
    return Exit.OK


def _table(held: Sequence[Hold]) -> Table:
    table = Table("account", "since", "why", "missing", "of", "state", box=None, pad_edge=False)
    for hold in held:
        state = "approved" if hold.approved else "waiting"
        since = utc(hold.since_ms / 1000)
        table.add_row(hold.account, since, hold.reason, str(hold.missing), str(hold.known), state)
    return table
