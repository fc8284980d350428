"""Dead letters on the command line: `dlt ls`, `show` and `redrive`. Only the words; part of `bridge.cli.main`."""

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.options import Config, Prefix, Servers

app = typer.Typer(no_args_is_help=True, help="Dead letters: commands that could not be carried out as they were.")

Where = Annotated[str, typer.Argument(metavar="POSITION", help="Of the letter, as ls prints it.")]
Entity = Annotated[str | None, typer.Option(help="Only this one, such as company; else all.")]
Error = Annotated[str | None, typer.Option(metavar="CODE", help="Only with this error code, such as invalid.")]
Since = Annotated[str | None, typer.Option(metavar="TIME|AGE", help="Only letters since then: 2h, or RFC 3339.")]
Until = Annotated[str | None, typer.Option(metavar="TIME|AGE", help="Only letters before that.")]
CommandId = Annotated[str | None, typer.Option("--id", help="Only the command of this id, as its reply names it.")]
Key = Annotated[str | None, typer.Option(help="Only commands with this key.")]
Count = Annotated[int | None, typer.Option("-n", min=1, help="At most so many, the oldest.")]


@app.command("ls")
def dlt_ls(
    *,
    entity: Entity = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    command_id: CommandId = None,
    key: Key = None,
    count: Count = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    parked: Annotated[bool, typer.Option("--parked", help="Those that were put back too often.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that do not wait any more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The letters that wait to be put back, oldest first."""
    from bridge.cli.dead_letters import list_letters, meant
    from bridge.cli.reaching import where

    search = meant(entity=entity, error=error, since=since, until=until, command_id=command_id, key=key, parked=parked)
    raise typer.Exit(
        list_letters(where(config, bootstrap_servers, prefix), search, every=every, count=count, as_objects=as_json)
    )


@app.command("show")
def dlt_show(
    position: Where,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    *,
    no_value: Annotated[bool, typer.Option("--no-value", help="Without the command's value.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Only the command's value, byte for byte.")] = False,
) -> None:
    """Everything about one letter."""
    from bridge.cli.dead_letters import show_letter
    from bridge.cli.reaching import where

    raise typer.Exit(show_letter(where(config, bootstrap_servers, prefix), position, value=not no_value, raw=raw))


@app.command("redrive")
def dlt_redrive(
    position: Annotated[str | None, typer.Argument(metavar="[POSITION]", help="Only this letter.")] = None,
    *,
    entity: Entity = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    command_id: CommandId = None,
    key: Key = None,
    count: Count = None,
    value: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="The command's mended value; with a POSITION only.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="A letter that was put back so often is parked instead.")] = 3,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also when it is more than one letter.")] = False,
) -> None:
    """Put commands back on their topics; they keep their identity, so that none is carried out twice."""
    from bridge.cli.dead_letters import meant, put_back
    from bridge.cli.reaching import where

    place = where(config, bootstrap_servers, prefix)
    search = meant(
        position=position,
        entity=entity,
        error=error,
        since=since,
        until=until,
        command_id=command_id,
        key=key,
        names=place.names,
    )
    raise typer.Exit(put_back(place, search, value=value, limit=limit, count=count, dry_run=dry_run, yes=yes))
