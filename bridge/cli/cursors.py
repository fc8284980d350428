"""`cursor show` and `set`: how far scans and input topics have come, and a scan that is to begin earlier."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from bridge.cli.arguments import followed, instant
from bridge.cli.asking import ask_for
from bridge.cli.exits import Exit, exit_code
from bridge.cli.reaching import Where
from bridge.client.cursors import Consuming, Cursors, Scanning, cursors
from bridge.contract.control import Asked
from bridge.contract.moments import utc


def show_cursors(where: Where, account: str | None, *, as_objects: bool) -> int:
    """Print how far everything has come, with an account only its scans; the exit code."""

    async def work() -> int:
        found = await cursors(where.kafka, where.names)
        scans = [each for each in found.scans if account in {None, each.account}]
        inputs = found.inputs if account is None else []
        if as_objects:
            for line in (*map(_scan_object, scans), *map(_input_object, inputs)):
                typer.echo(orjson.dumps(line).decode())
        elif scans or inputs:
            for table in (_of_scans(scans), _of_inputs(inputs)):
                if table.row_count:
                    Console().print(table)
        else:
            typer.echo("nothing has been read yet", err=True)
        return Exit.OK

    return exit_code(work())


def set_cursor(where: Where, account: str, entity: str, to: str, *, yes: bool) -> int:
    """Have the next scan begin at `to`, after telling what that means; the exit code."""
    followed(entity)
    now = time.time()
    at = int(instant(to, now))

    async def look() -> int:
        scan = _scan_of(await cursors(where.kafka, where.names), account, entity)
        if scan is None:
            typer.echo(f"{entity} of {account} has not been read yet", err=True)
            return Exit.COMMAND
        lower = scan.scan.lower
        if at > lower:
            typer.echo(f"what was modified from {utc(lower)} on has not been read yet: it would be lost", err=True)
            return Exit.COMMAND
        typer.echo(
            f"the next scan of {entity} of {account} begins at {utc(at)} instead of {utc(lower)}: everything modified "
            f"in these {_span(lower - at)} is read again; what has not changed makes no event",
            err=True,
        )
        if not yes:
            raise typer.BadParameter("say it to have that done", param_hint="--yes")
        return Exit.OK

    code = exit_code(look())
    return code if code != Exit.OK else ask_for(where, Asked.SET_CURSOR, account, entity, to=at)


def _scan_of(found: Cursors, account: str, entity: str) -> Scanning | None:
    return next((each for each in found.scans if (each.account, each.entity) == (account, entity)), None)


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} hours"


def _of_scans(scans: Sequence[Scanning]) -> Table:
    table = Table("account", "entity", "next scan from", "followed since", "snapshot", box=None, pad_edge=False)
    for each in scans:
        taken = _snapshot(each)
        words = "" if taken is None else f"{taken['read']} records, {taken['calls']} calls so far"
        table.add_row(each.account, each.entity, utc(each.scan.lower), utc(each.scan.followed_since), words)
    return table


def _of_inputs(inputs: Sequence[Consuming]) -> Table:
    table = Table("topic", "partition", "next", "done beyond", "end", "behind", box=None, pad_edge=False)
    for each in inputs:
        table.add_row(each.topic, *map(str, (each.partition, each.next, each.ahead, each.end, each.behind)))
    return table


def _scan_object(each: Scanning) -> Mapping[str, Any]:
    return {
        "account": each.account,
        "entity": each.entity,
        "next_scan_from": utc(each.scan.lower),
        "followed_since": utc(each.scan.followed_since),
        "snapshot": _snapshot(each),
    }


def _input_object(each: Consuming) -> Mapping[str, Any]:
    return {**asdict(each), "behind": each.behind}


def _snapshot(each: Scanning) -> dict[str, Any] | None:
    """The snapshot that is being taken: the first one, or one that was asked for."""
    taken = each.scan if each.scan.resume_at is not None else each.snapshot
    if taken is None or taken.resume_at is None:
        return None
    return {"read": taken.read, "calls": taken.calls, "from": utc(taken.resume_at)}
