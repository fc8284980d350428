"""What is done with accounts that connected themselves: `accounts`. Only the words; part of `bridge.cli.main`."""

from typing import Annotated

import typer

from bridge.cli.options import Config, Prefix, Servers, Set

app = typer.Typer(no_args_is_help=True, help="Every account, and those that customers connect themselves by OAuth.")

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="A name of yours for it, [a-z0-9-]+.")]
Timeout = Annotated[str | None, typer.Option(metavar="DURATION", help="How long to wait for its owner; else 30s.")]


@app.command("ls")
def ls(
    config: Config = None,
    settings: Set = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Every account: where it comes from, how it stands, its shard and replica, and which key sealed its token."""
    from bridge.cli.accounts import list_accounts

    raise typer.Exit(list_accounts(config, settings or [], as_objects=as_json))


@app.command("connect")
def connect(
    account: Account,
    config: Config = None,
    settings: Set = None,
    valid: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long the link is good; else oauth.link_valid.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object: account, url, expires.")] = False,
) -> None:
    """Print a link for the account's customer, who connects it, or connects it anew. Needs no bridge and no Kafka."""
    from bridge.cli.accounts import print_link

    raise typer.Exit(print_link(config, settings or [], account, valid=valid, as_objects=as_json))


@app.command("pause")
def pause(
    account: Account,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
) -> None:
    """Ask nothing of Copper for it until it is resumed; its commands wait until their deadlines."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(ask_for(where(config, bootstrap_servers, prefix), Asked.PAUSE, account, timeout=timeout))


@app.command("resume")
def resume(
    account: Account,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
) -> None:
    """Go on where it was paused."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(ask_for(where(config, bootstrap_servers, prefix), Asked.RESUME, account, timeout=timeout))


@app.command("disconnect")
def disconnect(
    account: Account,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How long to wait until it is gone; else as long as it takes."),
    ] = None,
    prefix: Prefix = None,
    *,
    forget: Annotated[
        bool, typer.Option("--forget", help="Publish tombstones for every record that is known of it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --forget: do not ask whether that is meant.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End when it is accepted.")] = False,
) -> None:
    """Remove it and its webhooks at Copper. Connected again, it goes on where it was, unless forgotten."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    place, asked = where(config, bootstrap_servers, prefix), Asked.DISCONNECT
    if forget:
        asked = Asked.FORGET
        _sure(account, place.names.state("*"), yes=yes)
    raise typer.Exit(ask_for(place, asked, account, timeout=timeout, wait=not no_wait))


def _sure(account: str, topics: str, *, yes: bool) -> None:
    """Have somebody say that this is meant: on a terminal they are asked, elsewhere it has to be said beforehand.

    Raises:
        typer.BadParameter: nobody said so.
    """
    import sys

    what = f"every record of {account} on {topics} gets a tombstone, and how far they had been read is forgotten"
    typer.echo(what, err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("say it to have that done", param_hint="--yes")
    typer.confirm("Forget it?", abort=True, err=True)
