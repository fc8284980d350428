"""What is done before the first start: `config`, `check` and `topics`. Only the words; part of `bridge.cli.main`."""

from typing import Annotated

import typer

from bridge.cli.options import Config, Set

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="The settings: a file to begin with, its schema, what holds and why.")
app.add_typer(config, name="config")


@config.command("init")
def config_init() -> None:
    """Print a settings file to begin with: every key with its meaning and default."""
    from bridge.cli.settings import print_template

    raise typer.Exit(print_template())


@config.command("show")
def config_show(
    config: Config = None,
    settings: Set = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One list: setting, value, origin.")] = False,
) -> None:
    """Every setting with the value that holds and the place that said so; secrets are masked."""
    from bridge.cli.settings import print_settings

    raise typer.Exit(print_settings(config, settings or [], as_objects=as_json))


@config.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the settings file, for editors."""
    from bridge.cli.settings import print_schema

    raise typer.Exit(print_schema())
