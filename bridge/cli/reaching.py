"""Which Kafka a command speaks to, how it gets in, and what the topics are called: settings, of which it needs no more.

Called by the commands that need no running bridge beside them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from bridge.access import Access
from bridge.cli.exits import Exit
from bridge.contract.topics import TopicNames
from bridge.settings import SettingsProblem, load_reach

_USUAL = (Path("bridge.yaml"), Path("/etc/copper-bridge/bridge.yaml"))


@dataclass(frozen=True, slots=True)
class Where:
    """A Kafka and the bridge's topics on it."""

    kafka: Access
    names: TopicNames


def settings_file(config: Path | None) -> Path | None:
    """The one that is named, else the usual one that is there; the environment may say it all."""
    return config or next((usual for usual in _USUAL if usual.is_file()), None)


def where(config: Path | None, servers: str | None, prefix: str | None) -> Where:
    """By the same settings as the bridge's own; what the options say wins. Ends the program if they are unusable."""
    said = {"kafka": {"bootstrap_servers": servers} if servers else {}, "topics": {"prefix": prefix} if prefix else {}}
    try:
        reach = load_reach(settings_file(config), os.environ, said)
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(Exit.SETTINGS) from None
    return Where(Access(reach.kafka.bootstrap_servers, reach.kafka), TopicNames(reach.topics.prefix))
