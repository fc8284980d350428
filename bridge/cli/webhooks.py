"""`webhooks ls` and `sync`: Copper's webhook subscriptions against those that the settings want.

What others have subscribed is shown by its host alone: the address itself may be a secret.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.access import Access
from bridge.app.subscriptions import Reviewed, review
from bridge.cli.exits import Exit, exit_code
from bridge.cli.letters import safe
from bridge.cli.settings import settings_of
from bridge.client.connecting import KafkaTrouble
from bridge.client.cursors import cursors
from bridge.contract.payloads import did_you_mean
from bridge.contract.topics import TopicNames
from bridge.policy.sightings import Trouble
from bridge.policy.subscribing import Plan, Subscription
from bridge.settings import Settings, SettingsProblem

CONNECTED = "accounts that are connected by OAuth are seen to by the running bridge alone, which has their tokens"


def list_subscriptions(config: Path | None, pairs: Sequence[str], account: str | None, *, as_objects: bool) -> int:
    """Print every subscription that there is or should be; the exit code."""
    return _review(config, pairs, account, carry_out=False, as_objects=as_objects, differing=Exit.OK)


def sync_subscriptions(
    config: Path | None, pairs: Sequence[str], account: str | None, *, dry_run: bool, as_objects: bool
) -> int:
    """Make them what they should be, or only tell what would be done; the exit code."""
    differing = Exit.DIFFERENT if dry_run else Exit.OK
    return _review(config, pairs, account, carry_out=not dry_run, as_objects=as_objects, differing=differing)


def _review(
    config: Path | None,
    pairs: Sequence[str],
    only: str | None,
    *,
    carry_out: bool,
    as_objects: bool,
    differing: Exit,
) -> int:
    try:
        settings = settings_of(config, pairs).settings
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return Exit.SETTINGS
    accounts = [*settings.accounts] if only is None else [_account(only, settings)]
    if settings.oauth.client_id is not None:
        typer.echo(CONNECTED, err=True)

    async def work() -> int:
        code: int = Exit.OK
        rows: list[Mapping[str, Any]] = []
        made = await _made(settings)
        reviewed = review(settings, accounts, made, carry_out=carry_out, planned=_planned)
        async with contextlib.aclosing(reviewed) as each:
            async for name, found in each:
                if isinstance(found, Trouble):
                    typer.echo(f"{name}: Copper cannot be asked: {found.why}", err=True)
                    code = Exit.COPPER
                    continue
                rows += rows_of(name, found)
                if found.plan.refused or (_changes(found.plan) and not carry_out):
                    code = code or (Exit.DIFFERENT if found.plan.refused and carry_out else differing)
        _print(rows, as_objects=as_objects)
        return code

    return exit_code(work())


def _account(name: str, settings: Settings) -> str:
    if name not in settings.accounts:
        why = f"no such account in the settings{did_you_mean(name, [*settings.accounts])}"
        connected = "" if settings.oauth.client_id is None else f"; {CONNECTED}"
        raise typer.BadParameter(f"{why}{connected}", param_hint="--account")
    return name


async def _made(settings: Settings) -> Mapping[str, Collection[int]]:
    """What the bridge remembers to have made, where Kafka tells."""
    try:
        names = TopicNames(settings.topics.prefix)
        return (await cursors(Access(settings.kafka.bootstrap_servers, settings.kafka), names)).subscriptions
    except KafkaTrouble as trouble:
        typer.echo(f"{trouble}: those made under a former address are taken for foreign ones", err=True)
        return {}


def _planned(account: str, plan: Plan) -> None:
    if changes := _changes(plan):
        typer.echo(f"{account}: {changes} to change, beside the calls of a bridge that runs", err=True)


def _changes(plan: Plan) -> int:
    return len(plan.create) + len(plan.update) + len(plan.delete)


def rows_of(account: str, found: Reviewed) -> Iterator[dict[str, Any]]:
    """A row for each that there is, and for each that there should be."""
    plan = found.plan
    for each in found.existing:
        yield _row(account, each.entity, each.event, _state(each, plan), each.id, _shown(each, plan))
    for state, wanted in (("missing", plan.create), ("refused", plan.refused)):
        for wish in wanted:
            yield _row(account, wish.entity, wish.event, state, None, None)


def _row(account: str, entity: str, event: str, state: str, number: int | None, target: str | None) -> dict[str, Any]:
    return {"account": account, "entity": entity, "event": event, "state": state, "id": number, "target": target}


def _state(each: Subscription, plan: Plan) -> str:
    if each.id in plan.delete:
        return "extra"
    if each.id in plan.update:
        return "differs"
    return "ours" if each.id in plan.keep else "foreign"


def _shown(each: Subscription, plan: Plan) -> str:
    if _state(each, plan) == "ours":
        return each.target
    return urlsplit(each.target).hostname or "?"


def _print(rows: Sequence[Mapping[str, Any]], *, as_objects: bool) -> None:
    if as_objects:
        for row in rows:
            typer.echo(orjson.dumps(row).decode())
    elif rows:
        table = Table("account", "entity", "event", "state", "id", "target", box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text("" if cell is None else safe(str(cell))) for cell in row.values()))
        Console().print(table)
    else:
        typer.echo("no subscriptions, and none wanted", err=True)
