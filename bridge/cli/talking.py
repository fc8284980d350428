"""`listen` and `call`: Kafka from the terminal, through `bridge.client`."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import typer

from bridge.cli.arguments import action, instant, lane, members, nested, seconds
from bridge.cli.exits import Exit, exit_code
from bridge.cli.lines import as_json, as_line
from bridge.cli.reaching import Where
from bridge.client.calling import calling, id_for
from bridge.client.listening import listen
from bridge.client.signing import signing_key
from bridge.contract.records import Incoming
from bridge.contract.replies import Status
from bridge.contract.signing import SigningKey

_STARTS = {"latest": None, "earliest": 0.0}
_EXITS = {Status.SUCCEEDED: Exit.OK, Status.EXPIRED: Exit.EXPIRED, Status.UNKNOWN: Exit.UNKNOWN}


def watch(where: Where, patterns: Sequence[str], *, start: str, count: int | None, as_objects: bool) -> int:
    """Print what passes, from `start` on; the exit code."""
    since = _STARTS[start] if start in _STARTS else instant(start, time.time())
    return exit_code(_watch(where, patterns, since=since, count=count, as_objects=as_objects))


async def _watch(
    where: Where, patterns: Sequence[str], *, since: float | None, count: int | None, as_objects: bool
) -> int:
    def ready(topics: Sequence[str]) -> None:
        typer.echo(f"listening to {', '.join(patterns)}: {len(topics)} topics", err=True)

    seen = 0
    async with contextlib.aclosing(listen(where.kafka, patterns, since=since, ready=ready)) as records:
        async for record in records:
            typer.echo(as_json(record) if as_objects else as_line(record))
            seen += 1
            if seen == count:
                break
    return Exit.OK


@dataclass(frozen=True, slots=True)
class Asking:
    """How a command is sent. Times are durations as text; a `deadline` of None is the timeout, "none" is none."""

    account: str | None = None
    command_id: str | None = None
    timeout: str = "30s"
    deadline: str | None = None
    lane: str | None = None
    one_line: bool = False
    """The reply as one line of JSON."""


def ask(where: Where, name: str, pairs: Sequence[str], asking: Asking) -> int:
    """Send a command and print its reply; the exit code."""
    row, within_s = action(name), seconds(asking.timeout)
    signing = _key()
    after_s = None if asking.deadline == "none" else seconds(asking.deadline or asking.timeout)
    said: dict[str, Any] = {
        "account": asking.account,
        "command_id": id_for(row, asking.command_id, signed=signing is not None),
        "deadline": None if after_s is None else time.time() + after_s,
        "lane": None if asking.lane is None else lane(asking.lane),
        **members(row, nested(pairs, parse=True)),
    }
    if signing is not None and after_s is None:
        raise typer.BadParameter("a signed command needs one", param_hint="--deadline")

    async def work() -> int:
        async with calling(where.kafka, where.names, [row.entity], signing) as caller:
            reply = await caller.ask(row.entity, row.name, within_s=within_s, **said)
        if reply is not None:
            return _told(reply, one_line=asking.one_line)
        begun_later = after_s is None or after_s > within_s
        typer.echo(_unanswered(said["command_id"], begun_later=begun_later), err=True)
        return Exit.NO_REPLY

    return exit_code(work())


def _key() -> SigningKey | None:
    try:
        return signing_key()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _unanswered(command_id: str | None, *, begun_later: bool) -> str:
    so = "it may still be begun" if begun_later else "if it has not been begun by now, it never will be"
    again = "" if command_id is None else f"; to ask again with --id {command_id} is safe"
    return f"no reply in time: {so}{again}"


def _told(reply: Incoming, *, one_line: bool) -> int:
    value = orjson.loads(reply.value or b"{}")
    typer.echo(orjson.dumps(value, option=0 if one_line else orjson.OPT_INDENT_2).decode())
    return _EXITS.get(value.get("status"), Exit.COMMAND)
