"""Which Kafka a command speaks to, how it gets in, and what the topics are called: settings, of which it needs no more.

Called by the commands that need no running bridge beside them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from bridge.access import Access
from bridge.cli.exits import Exit
from bridge.cli.settings import settings_file
from bridge.contract.topics import TopicNames
from bridge.settings import SettingsProblem, load_reach


@dataclass(frozen=True, slots=True)
class Where:
    """A Kafka and the bridge's topics on it."""

    kafka: Access
    names: TopicNames


def where(config: Path | None, servers: str | None, prefix: str | None) -> Where:
    """By the same settings as the bridge's own; what the options say wins. Ends the program if they are unusable."""
    said = {"kafka": {"bootstrap_servers": servers} if servers else {}, "topics": {"prefix": prefix} if prefix else {}}
    try:
        reach = load_reach(settings_file(config), os.environ, said)
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(Exit.SETTINGS) from None
    return Where(Access(reach.kafka.bootstrap_servers, reach.kafka), TopicNames(reach.topics.prefix))
