"""`run`: settings in, the bridge at work, an exit code out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import typer

from bridge.app import run
from bridge.app.running import StateInUse
from bridge.cli.exits import Exit
from bridge.cli.settings import settings_of
from bridge.kafka.membership import MembershipContested
from bridge.kafka.topics import TopicsUnfit
from bridge.settings import Settings, SettingsProblem
from bridge.telemetry import logs


def run_bridge(config: Path | None, pairs: Sequence[str]) -> int:
    """Run until a signal; the exit code."""

    def read() -> Settings:
        return settings_of(config, pairs).settings

    try:
        settings = read()
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return Exit.SETTINGS
    logs.configure(settings.log.level, settings.log.format)
    try:
        return asyncio.run(run(settings, read))
    except (TopicsUnfit, MembershipContested) as problem:
        typer.echo(str(problem), err=True)
        return Exit.KAFKA
    except StateInUse as problem:
        typer.echo(str(problem), err=True)
        return Exit.FAILED
