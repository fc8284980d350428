"""The command line, `copper-bridge`. Data goes to standard output, talk to standard error; exit codes are in `exits`.

Every command imports what it needs when it runs, so that `--help` answers at once.
"""

import signal
from typing import Annotated

import typer

import bridge
from bridge.cli import administering, dlt, inspecting, operating, preparing
from bridge.cli.options import Config, Prefix, Servers, Set

app = typer.Typer(name="copper-bridge", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
sandbox = typer.Typer(no_args_is_help=True, help="Parts of the sandbox alone, for your own tests. Not for production.")
app.add_typer(preparing.app)
app.add_typer(operating.app)
app.add_typer(inspecting.app)
app.add_typer(dlt.app, name="dlt")
app.add_typer(administering.app, name="accounts")
app.add_typer(sandbox, name="sandbox")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(bridge.__version__)
        raise typer.Exit


@app.callback()
def copper_bridge(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell it.")] = False,
) -> None:
    """Copper CRM's changes as Kafka events, Kafka commands as Copper calls."""


def _leave(_signal: int, _frame: object) -> None:
    """Nothing has been begun yet: what a bridge needs is being imported."""
    raise SystemExit(0)


@app.command()
def run(config: Config = None, settings: Set = None) -> None:
    """Run the bridge until SIGTERM or Ctrl-C."""
    signal.signal(signal.SIGTERM, _leave)
    from bridge.cli.running import run_bridge

    raise typer.Exit(run_bridge(config, settings or []))


@app.command()
def demo(
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A Kafka to use, not to start.")] = None,
    exit_after: Annotated[
        str | None, typer.Option(metavar="DURATION", help="End by itself, and tell by the exit code.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that happens by chance.")] = 7,
    port: Annotated[int, typer.Option(help="Of the status page; 0 takes a free one.")] = 0,
) -> None:
    """See it work: a Copper double, a real Kafka and the bridge, with everything that passes between them."""
    from bridge.cli.sandboxes import run_demo

    raise typer.Exit(run_demo(kafka=kafka, exit_after=exit_after, seed=seed, port=port))


@sandbox.command("kafka")
def sandbox_kafka(
    nodes: Annotated[int, typer.Option(min=1, max=3, help="Brokers; three survive the loss of one.")] = 1,
) -> None:
    """A real Kafka with throw-away data, until Ctrl-C. Its address is the line on standard output."""
    from bridge.cli.sandboxes import run_kafka

    raise typer.Exit(run_kafka(nodes))


@sandbox.command("copper")
def sandbox_copper(
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond loopback only on a network of your own.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="And on which port; 0 takes a free one.")] = 4010,
    accounts: Annotated[list[str] | None, typer.Option("--account", help="Names of the accounts.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that happens by chance.")] = 7,
    *,
    people: Annotated[bool, typer.Option(help="Let people create, edit and delete records.")] = True,
) -> None:
    """A double of Copper's API, until Ctrl-C. Its address is the line on standard output."""
    from bridge.cli.sandboxes import run_copper_double

    raise typer.Exit(run_copper_double(host, port, accounts or ["acme"], seed=seed, people=people))


@app.command()
def listen(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="[PATTERN]…", help="Topics, such as 'copper.lead.*'.")
    ] = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    start: Annotated[
        str, typer.Option("--from", metavar="latest|earliest|TIME|AGE", help="Where to begin: also 2h, or RFC 3339.")
    ] = "latest",
    count: Annotated[int | None, typer.Option("-n", min=1, help="End after so many records.")] = None,
    prefix: Prefix = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Watch events and replies go by; committed records only."""
    from bridge.cli.reaching import where
    from bridge.cli.talking import watch

    place = where(config, bootstrap_servers, prefix)
    wanted = patterns or [f"{place.names.prefix}.*.changes", f"{place.names.prefix}.*.replies"]
    raise typer.Exit(watch(place, wanted, start=start, count=count, as_objects=as_json))


@app.command()
def call(
    action: Annotated[str, typer.Argument(metavar="ENTITY.ACTION", help="Such as company.create.")],
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="id=7 name=Acme address.city=Paris")
    ] = None,
    *,
    config: Config = None,
    bootstrap_servers: Servers = None,
    account: Annotated[str | None, typer.Option(help="Needed when the bridge serves several.")] = None,
    command_id: Annotated[str | None, typer.Option("--id", help="The same id again is carried out once.")] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long to wait.")] = "30s",
    deadline: Annotated[
        str | None, typer.Option(metavar="DURATION|none", help="Not to be begun later. Default: the timeout.")
    ] = None,
    lane: Annotated[str | None, typer.Option(metavar="interactive|bulk", help="What it may hold up.")] = None,
    prefix: Prefix = None,
    as_json: Annotated[bool, typer.Option("--json", help="The reply on one line.")] = False,
) -> None:
    """Send one command and print its reply. Values are JSON or else text; keys with dots nest."""
    from bridge.cli.reaching import where
    from bridge.cli.talking import Asking, ask

    asking = Asking(account, command_id, timeout, deadline, lane, as_json)
    raise typer.Exit(ask(where(config, bootstrap_servers, prefix), action, pairs or [], asking))


def main() -> None:
    """What the installed script calls."""
    app(prog_name="copper-bridge")
