"""`listen` and `call`: Kafka from the terminal, through `bridge.client`."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import uuid4

import orjson
import typer

from bridge.cli.arguments import action, members, nested, seconds
from bridge.cli.exits import Exit
from bridge.cli.lines import as_json, as_line
from bridge.client.calling import call
from bridge.client.connecting import KafkaTrouble
from bridge.client.listening import listen
from bridge.contract.commands import encode
from bridge.contract.records import Incoming
from bridge.contract.topics import TopicNames


def watch(servers: str, patterns: Sequence[str], *, earliest: bool, count: int | None, as_objects: bool) -> int:
    """Print what passes; the exit code."""
    try:
        asyncio.run(_watch(servers, patterns, earliest=earliest, count=count, as_objects=as_objects))
    except KafkaTrouble as trouble:
        typer.echo(str(trouble), err=True)
        return Exit.KAFKA
    return Exit.OK


async def _watch(servers: str, patterns: Sequence[str], *, earliest: bool, count: int | None, as_objects: bool) -> None:
    def ready(topics: Sequence[str]) -> None:
        typer.echo(f"listening to {', '.join(patterns)}: {len(topics)} topics", err=True)

    seen = 0
    async with contextlib.aclosing(listen(servers, patterns, earliest=earliest, ready=ready)) as records:
        async for record in records:
            typer.echo(as_json(record) if as_objects else as_line(record))
            seen += 1
            if seen == count:
                return


def ask(
    servers: str,
    name: str,
    pairs: Sequence[str],
    *,
    account: str | None,
    command_id: str | None,
    timeout: str,
    prefix: str,
) -> int:
    """Send a command and print its reply; the exit code."""
    within_s = seconds(timeout)
    row = action(name)
    value, headers = encode(
        row.name,
        account=account,
        command_id=command_id or str(uuid4()),
        correlation=uuid4().hex.encode(),
        deadline=time.time() + within_s,  # what nobody waits for any more is not begun
        **members(row, nested(pairs, parse=True)),
    )
    names = TopicNames(prefix)
    key = None if account is None else account.encode()
    work = call(
        servers,
        commands=names.commands(row.entity),
        replies=names.replies(row.entity),
        key=key,
        value=value,
        headers=headers,
        within_s=within_s,
    )
    try:
        return _told(asyncio.run(work))
    except KafkaTrouble as trouble:
        typer.echo(str(trouble), err=True)
        return Exit.KAFKA


def _told(reply: Incoming | None) -> int:
    if reply is None:
        typer.echo("no reply in time; a command that has not been begun by now never will be", err=True)
        return Exit.NO_REPLY
    value = orjson.loads(reply.value or b"{}")
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    return Exit.OK if value.get("status") == "succeeded" else Exit.COMMAND
