"""What operators look at: `status`, `journal`, `cursor`, `webhooks`. Only the words; part of `bridge.cli.main`."""

from typing import Annotated

import typer

from bridge.cli.options import Config, Prefix, Servers, Set

app = typer.Typer()
journal = typer.Typer(no_args_is_help=True, help="What was attempted for a command, and how it ended.")
cursor = typer.Typer(no_args_is_help=True, help="How far scans and input topics have come.")
webhooks = typer.Typer(no_args_is_help=True, help="Copper's webhook subscriptions.")
app.add_typer(journal, name="journal")
app.add_typer(cursor, name="cursor")
app.add_typer(webhooks, name="webhooks")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Only = Annotated[str | None, typer.Option("--account", help="Only this one; else all.")]


@app.command()
def status(
    url: Annotated[str, typer.Option(metavar="URL", help="Of the internal port.")] = "http://127.0.0.1:8081",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Live, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """How a running bridge does: scans, snapshots, the budget, and what waits for somebody."""
    from bridge.cli.status import show_status

    raise typer.Exit(show_status(url, watch=watch, as_objects=as_json))


@journal.command("show")
def journal_show(
    command_id: Annotated[str, typer.Argument(metavar="ID", help="Of the command, as its reply names it.")],
    account: Annotated[str | None, typer.Option(help="Whose command it is; then one partition is read.")] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Every attempt of a command, its answer, and what was seen of an unknown one later; no CRM data."""
    from bridge.cli.journal import show_command
    from bridge.cli.reaching import where

    raise typer.Exit(show_command(where(config, bootstrap_servers, prefix), command_id, account, as_objects=as_json))


@cursor.command("show")
def cursor_show(
    account: Only = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Where the next scan of each entity begins, and how far each input topic has been worked off."""
    from bridge.cli.cursors import show_cursors
    from bridge.cli.reaching import where

    raise typer.Exit(show_cursors(where(config, bootstrap_servers, prefix), account, as_objects=as_json))


@cursor.command("set")
def cursor_set(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name in the settings.")],
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="Such as company.")],
    to: Annotated[str, typer.Argument(metavar="TIME|AGE", help="RFC 3339, or how long ago: 6h.")],
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is only told what would be read again.")] = False,
) -> None:
    """Have the next scan begin earlier, so that everything modified since is looked at again."""
    from bridge.cli.cursors import set_cursor
    from bridge.cli.reaching import where

    raise typer.Exit(set_cursor(where(config, bootstrap_servers, prefix), account, entity, to, yes=yes))


@webhooks.command("ls")
def webhooks_ls(config: Config = None, settings: Set = None, account: Only = None, *, as_json: AsJson = False) -> None:
    """Every subscription at Copper, and every one that is missing there. One call for each account."""
    from bridge.cli.webhooks import list_subscriptions

    raise typer.Exit(list_subscriptions(config, settings or [], account, as_objects=as_json))


@webhooks.command("sync")
def webhooks_sync(
    config: Config = None,
    settings: Set = None,
    account: Only = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make them what the settings want, as a running bridge does by itself; foreign ones are left alone."""
    from bridge.cli.webhooks import sync_subscriptions

    raise typer.Exit(sync_subscriptions(config, settings or [], account, dry_run=dry_run, as_objects=as_json))
