"""`status`: what a running bridge tells of itself, once or live."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import orjson
import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bridge.cli.exits import Exit
from bridge.cli.letters import safe
from bridge.client.status import NoStatus, status
from bridge.contract.moments import utc

EVERY_SECONDS = 2.0


def show_status(url: str, *, watch: bool, as_objects: bool) -> int:
    """Print the status, with `watch` again and again until interrupted; the exit code."""
    try:
        return asyncio.run(_watch(url, as_objects=as_objects) if watch else _once(url, as_objects=as_objects))
    except NoStatus as trouble:
        typer.echo(str(trouble), err=True)
        return Exit.NO_REPLY


async def _once(url: str, *, as_objects: bool) -> int:
    told = await status(url)
    if as_objects:
        typer.echo(orjson.dumps(told).decode())
    else:
        Console().print(view_of(told, time.time()))
    return Exit.OK


async def _watch(url: str, *, as_objects: bool) -> int:
    """Begins only when there is a status; after that a bridge that is away for a while is waited for."""
    console = Console()
    live = None if as_objects or not console.is_terminal else Live(console=console, auto_refresh=False)
    told = await status(url)
    with live or nullcontext():
        while True:
            if as_objects:
                typer.echo(orjson.dumps(told).decode())
            elif live is not None:
                live.update(view_of(told, time.time()), refresh=True)
            else:
                console.print(view_of(told, time.time()))
            await asyncio.sleep(EVERY_SECONDS)
            told = await _again(url)


async def _again(url: str) -> Mapping[str, Any]:
    while True:
        try:
            return await status(url)
        except NoStatus as trouble:
            typer.echo(str(trouble), err=True)
            await asyncio.sleep(EVERY_SECONDS)


def view_of(told: Mapping[str, Any], now: float) -> RenderableType:
    """A line for the process, a table of all that it follows, and a line for each account."""
    return Group(
        Text(_process(told)),
        *(Text(line) for line in _replicas(told)),
        _table(told["accounts"], now),
        *(Text(line) for name, account in told["accounts"].items() for line in _account(safe(name), account)),
    )


def _process(told: Mapping[str, Any]) -> str:
    shards = told["shards"]
    state = "ready" if told["ready"] else "not ready"
    return f"{state}, shards {_numbers(shards['open'])} open of {_numbers(shards['owned'])}"


def _replicas(told: Mapping[str, Any]) -> Iterator[str]:
    """What each is known to own."""
    owned = defaultdict[str, list[int]](list)
    for shard, replica in told["shards"].get("owners", {}).items():
        owned[replica].append(int(shard))
    for replica, shards in sorted(owned.items()):
        this = ", this one" if replica == told.get("replica") else ""
        yield f"{safe(replica)}{this}: shards {_numbers(shards)}"


def _numbers(shards: list[int]) -> str:
    return ", ".join(map(str, shards)) or "none"


def _table(accounts: Mapping[str, Any], now: float) -> Table:
    table = Table("account", "entity", "state", "last scan", "trouble", "snapshot", box=None, pad_edge=False)
    for name, account in accounts.items():
        for entity, each in account.get("entities", {}).items():
            cells = (name, entity, _state(each), _age(each["scanned_at"], now), each["trouble"] or "", _snapshot(each))
            table.add_row(*(Text(safe(cell)) for cell in cells))
    return table


def _state(entity: Mapping[str, Any]) -> str:
    """`on-time` as words."""
    return str(entity.get("state", "-")).replace("-", " ").strip().capitalize() or "-"


def _age(at: float | None, now: float) -> str:
    return "-" if at is None else f"{max(0, round(now - at))} s ago"


def _snapshot(entity: Mapping[str, Any]) -> str:
    taken = entity["snapshot"]
    if taken is None:
        return ""
    if taken["done"]:
        return f"{taken['records']} records" + (", incomplete" if taken["incomplete"] else "")
    left = "" if taken["seconds_left"] is None else f", {taken['seconds_left']} s left"
    return f"{taken['records']}/{taken['expected']} records{left}"


def _account(name: str, account: Mapping[str, Any]) -> Iterator[str]:
    if not account["here"]:
        yield f"{name}: served by {safe(account.get('owner') or 'another process')} (shard {account['shard']})"
        return
    calls = account["calls"]
    yield (
        f"{name}: {sum(calls['last_minute'].values())}/{calls['limit']} calls in the last minute"
        f"{_lanes(calls['last_minute'])}; waiting{_lanes(calls['waiting']) or ' none'}"
    )
    if account.get("state") == "leaving":
        yield f"{name}: is being disconnected"
    if (paused := account.get("paused")) is not None:
        yield f"{name}: paused since {utc(paused['since'])}: {safe(str(paused['reason']))}"
    if (held := account["deletes_held"]) is not None:
        missing = f"{held['missing']} of {held['known']}"
        yield f"{name}: deletes held back since {utc(held['since'])}: {held['reason']}, {missing} missing"


def _lanes(counts: Mapping[str, int]) -> str:
    used = ", ".join(f"{lane} {count}" for lane, count in counts.items() if count)
    return f" ({used})" if used else ""
