"""What is done before the first start: `config`, `check` and `topics`. Only the words; part of `bridge.cli.main`."""

from typing import Annotated

import typer

from bridge.cli.options import Config, Set

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="The settings: a file to begin with, its schema, what holds and why.")
topics = typer.Typer(no_args_is_help=True, help="The topics: what is not as it should be, and mending it.")
app.add_typer(config, name="config")
app.add_typer(topics, name="topics")

AsJson = Annotated[bool, typer.Option("--json", help="One list: do, topic, and what.")]


@app.command()
def check(
    config: Config = None,
    settings: Set = None,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Only what takes no network.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One list: part, ok, message, fix.")] = False,
) -> None:
    """Look whether a bridge can run: settings, Copper, clock, Kafka, topics, webhooks. Starts and disturbs nothing."""
    from bridge.cli.checking import check

    raise typer.Exit(check(config, settings or [], offline=offline, as_objects=as_json))


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


@topics.command("plan")
def topics_plan(config: Config = None, settings: Set = None, *, as_json: AsJson = False) -> None:
    """Tell what of the topics is not as it should be; changes nothing."""
    from bridge.cli.topics import compare_topics

    raise typer.Exit(compare_topics(config, settings or [], apply=False, as_objects=as_json))


@topics.command("apply")
def topics_apply(config: Config = None, settings: Set = None, *, as_json: AsJson = False) -> None:
    """Make what is missing and alter settings. Deletes nothing, and changes no number of partitions."""
    from bridge.cli.topics import compare_topics

    raise typer.Exit(compare_topics(config, settings or [], apply=True, as_objects=as_json))
