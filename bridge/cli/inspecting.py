"""What operators look at: `status`, `journal`, `cursor`, `webhooks`. Only the words; part of `bridge.cli.main`."""

from typing import Annotated

import typer

from bridge.cli.options import Prefix, Servers

app = typer.Typer()
journal = typer.Typer(no_args_is_help=True, help="What was attempted for a command, and how it ended.")
app.add_typer(journal, name="journal")


@journal.command("show")
def journal_show(
    command_id: Annotated[str, typer.Argument(metavar="ID", help="Of the command, as its reply names it.")],
    account: Annotated[str | None, typer.Option(help="Whose command it is; then one partition is read.")] = None,
    bootstrap_servers: Servers = "localhost:9092",
    prefix: Prefix = "copper",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Every attempt of a command, its answer, and what was seen of an unknown one later; no CRM data."""
    from bridge.cli.journal import show_command

    raise typer.Exit(show_command(bootstrap_servers, prefix, command_id, account, as_objects=as_json))
