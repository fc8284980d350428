"""`accounts ls` and `connect`: every account with how it stands, and links by which customers connect theirs.

Both need the settings as a whole: which accounts they name, and the keys that seal tokens and sign links. A link is
made here and nobody is asked.
"""

import dataclasses
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.access import Access
from bridge.app.oauth import Keys, linking
from bridge.app.replicas import replicas
from bridge.app.sealing import Sealing
from bridge.cli.arguments import seconds
from bridge.cli.exits import Exit, exit_code
from bridge.cli.letters import safe
from bridge.cli.settings import settings_of
from bridge.client.accounts import Directory, directory
from bridge.contract.accounts import Connected
from bridge.contract.moments import utc
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.settings import Settings, SettingsProblem

_ACCOUNT = re.compile(r"[a-z0-9-]{1,64}")
NO_OAUTH = (
    "no account can be connected: set oauth.client_id (BRIDGE_OAUTH__CLIENT_ID) and oauth.client_secret as Copper gave "
    "them to you, a key in oauth.keys, and webhooks.public_url, which customers come back to"
)


def list_accounts(config: Path | None, pairs: Sequence[str], *, as_objects: bool) -> int:
    """Print every account; the exit code."""
    settings = _settings(config, pairs)
    if settings is None:
        return Exit.SETTINGS

    async def work() -> int:
        kafka = Access(settings.kafka.bootstrap_servers, settings.kafka)
        found = await directory(kafka, TopicNames(settings.topics.prefix))
        owners = await replicas(settings) or {}
        _print([*rows_of(settings.accounts, found, owners, Keys(lambda: settings)())], as_objects=as_objects)
        return Exit.OK

    return exit_code(work())


def print_link(config: Path | None, pairs: Sequence[str], account: str, *, valid: str | None, as_objects: bool) -> int:
    """Print a link by which the account's customer connects it; the exit code."""
    valid_s = None if valid is None else seconds(valid)
    if not _ACCOUNT.fullmatch(account):
        raise typer.BadParameter("must be 1 to 64 of a-z, 0-9 and -", param_hint="ACCOUNT")
    settings = _settings(config, pairs)
    if settings is None:
        return Exit.SETTINGS
    if account in settings.accounts:
        raise typer.BadParameter("is one of the settings: change it there", param_hint="ACCOUNT")
    links = linking(settings)
    if links is None:
        typer.echo(NO_OAUTH, err=True)
        return Exit.SETTINGS
    link = dataclasses.replace(links, seconds=valid_s or links.seconds).link(account, time.time())
    if as_objects:
        typer.echo(orjson.dumps({"account": account, "url": link.url, "expires": utc(link.expires)}).decode())
        return Exit.OK
    typer.echo(f"for the customer of {account}, good until {utc(link.expires)}:", err=True)
    typer.echo(link.url)
    return Exit.OK


def _settings(config: Path | None, pairs: Sequence[str]) -> Settings | None:
    try:
        return settings_of(config, pairs).settings
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return None


def rows_of(
    fixed: Collection[str], found: Directory, owners: Mapping[int, str], sealing: Sealing | None
) -> Iterator[Mapping[str, Any]]:
    """A row for each account. One of the settings is what they say, whatever lies in the topic.

    `owners`: shard to replica, as far as it is known.
    """
    for name in sorted({*fixed, *found.connected, *found.pending}):
        entry, shard = None if name in fixed else found.connected.get(name), shard_of(name, found.partitions)
        yield {
            "account": name,
            "standing": _standing(name, fixed, entry),
            "shard": shard,
            "replica": owners.get(shard),
            "since": None if entry is None else utc(entry.since_ms / 1000),
            "standing_since": None if entry is None else utc(entry.standing_ms / 1000),
            "sealed": None if entry is None else sealed_by(entry, sealing),
        }


def _standing(name: str, fixed: Collection[str], entry: Connected | None) -> str:
    if name in fixed:
        return "settings"
    return "pending" if entry is None else entry.standing.value


def sealed_by(entry: Connected, sealing: Sealing | None) -> str:
    """Which of the keys sealed its token: the `newest`, an `older` one, or `none` of these."""
    if sealing is None or sealing.opened(entry.account, entry.sealed) is None:
        return "none"
    return "older" if sealing.outdated(entry.sealed) else "newest"


def _print(rows: Sequence[Mapping[str, Any]], *, as_objects: bool) -> None:
    if as_objects:
        for row in rows:
            typer.echo(orjson.dumps(row).decode())
    elif rows:
        table = Table(*(name.replace("_", " ") for name in rows[0]), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text("" if cell is None else safe(str(cell))) for cell in row.values()))
        Console().print(table)
    else:
        typer.echo("no accounts", err=True)
