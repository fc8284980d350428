"""`run`: settings in, the bridge at work, an exit code out."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import typer

from bridge.app import run
from bridge.app.running import StateInUse
from bridge.cli.arguments import nested
from bridge.cli.exits import Exit
from bridge.kafka.membership import MembershipContested
from bridge.kafka.topics import TopicsUnfit
from bridge.settings import Settings, SettingsProblem, load
from bridge.telemetry import logs

_USUAL = (Path("bridge.yaml"), Path("/etc/copper-bridge/bridge.yaml"))


def settings_of(config: Path | None, pairs: Sequence[str]) -> Settings:
    """The settings of that file, else of the usual one that is there, and of everything else that says some.

    Raises:
        SettingsProblem: they are wrong.
    """
    path = config or next((usual for usual in _USUAL if usual.is_file()), None)
    return load(path, os.environ, nested(pairs, parse=False))


def run_bridge(config: Path | None, pairs: Sequence[str]) -> int:
    """Run until a signal; the exit code. Without a file and without the usual ones, the environment may say it all."""
    try:
        settings = settings_of(config, pairs)
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return Exit.SETTINGS
    logs.configure(settings.log.level, settings.log.format)
    try:
        return asyncio.run(run(settings))
    except (TopicsUnfit, MembershipContested) as problem:
        typer.echo(str(problem), err=True)
        return Exit.KAFKA
    except StateInUse as problem:
        typer.echo(str(problem), err=True)
        return Exit.FAILED
