"""What operators ask of a running bridge through Kafka: `snapshot`, `sweep`, `progress`, `wait` and `deletes`.

Only the words of the command line; part of `bridge.cli.main`.
"""

from typing import Annotated

import typer

from bridge.cli.options import Config, Prefix, Servers

app = typer.Typer()
deletes = typer.Typer(no_args_is_help=True, help="Deletes that are held back until somebody decides.")
app.add_typer(deletes, name="deletes")

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name in the settings.")]
Entity = Annotated[str | None, typer.Option(help="Only this one, such as company; else all.")]
Timeout = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long to wait for the end; else as long as it takes.")
]


@app.command()
def snapshot(
    account: Account,
    entity: Entity = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
    *,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="End when it is accepted, and print its id.")] = False,
) -> None:
    """Have every record read again and published, and watch it being done."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(
        ask_for(
            where(config, bootstrap_servers, prefix), Asked.SNAPSHOT, account, entity, timeout=timeout, wait=not no_wait
        )
    )


@app.command()
def sweep(
    account: Account,
    entity: Entity = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
) -> None:
    """Have deleted records looked for now, and print what was found."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(ask_for(where(config, bootstrap_servers, prefix), Asked.SWEEP, account, entity, timeout=timeout))


@app.command()
def progress(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this one; else all.")] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Watch the snapshots that are being taken, until they are done; asks for nothing."""
    from bridge.cli.reaching import where
    from bridge.cli.watching import watch_snapshots

    raise typer.Exit(watch_snapshots(where(config, bootstrap_servers, prefix), account))


@app.command()
def wait(
    account: Account,
    entities: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTITY]…", help="Such as company; else all.")
    ] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    to: Annotated[str, typer.Option(metavar="now|TIME", help="RFC 3339, such as 2027-01-04T09:12:44Z.")] = "now",
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait.")] = "5m",
    prefix: Prefix = None,
) -> None:
    """Wait until everything that Copper's search shows up to a moment has been published."""
    from bridge.cli.reaching import where
    from bridge.cli.watching import wait_for

    raise typer.Exit(
        wait_for(where(config, bootstrap_servers, prefix), account, entities or [], to=to, timeout=timeout)
    )


@deletes.command("ls")
def deletes_ls(
    config: Config = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Whose deletes are held back, since when and why."""
    from bridge.cli.reaching import where
    from bridge.cli.watching import list_holds

    raise typer.Exit(list_holds(where(config, bootstrap_servers, prefix), as_objects=as_json))


@deletes.command("approve")
def deletes_approve(
    account: Account,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
) -> None:
    """They are real: publish them, each confirmed at Copper once more."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(ask_for(where(config, bootstrap_servers, prefix), Asked.APPROVE_DELETES, account, timeout=timeout))


@deletes.command("reject")
def deletes_reject(
    account: Account,
    config: Config = None,
    bootstrap_servers: Servers = None,
    timeout: Timeout = None,
    prefix: Prefix = None,
) -> None:
    """They are not: forget them, and look again."""
    from bridge.cli.asking import ask_for
    from bridge.cli.reaching import where
    from bridge.contract.control import Asked

    raise typer.Exit(ask_for(where(config, bootstrap_servers, prefix), Asked.REJECT_DELETES, account, timeout=timeout))
