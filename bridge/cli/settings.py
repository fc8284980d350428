"""The settings as commands find them, and what `config` shows: the template, the schema, what holds and why."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import typer

from bridge.cli.arguments import nested
from bridge.cli.exits import Exit
from bridge.settings import Loaded, SettingsProblem, loaded
from bridge.settings.schema import schema
from bridge.settings.showing import Shown, shown, written
from bridge.settings.template import template

_USUAL = (Path("bridge.yaml"), Path("/etc/copper-bridge/bridge.yaml"))


def settings_of(config: Path | None, pairs: Sequence[str]) -> Loaded:
    """What the file, the environment and `--set` say. Without a file and the usual ones the environment may say it all.

    Raises:
        SettingsProblem: something is wrong; its text tells all of it.
    """
    return loaded(settings_file(config), os.environ, nested(pairs, parse=False))


def settings_file(config: Path | None) -> Path | None:
    """The settings file that is named, or else a usual one that is there."""
    return config or next((usual for usual in _USUAL if usual.is_file()), None)


def print_template() -> int:
    """A settings file to begin with; the exit code."""
    typer.echo(template(), nl=False)
    return Exit.OK


def print_schema() -> int:
    """The JSON Schema of a settings file; the exit code."""
    typer.echo(json.dumps(schema(), indent=2))
    return Exit.OK


def print_settings(config: Path | None, pairs: Sequence[str], *, as_objects: bool) -> int:
    """What holds and where it comes from, secrets masked; the exit code."""
    try:
        said = settings_of(config, pairs)
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return Exit.SETTINGS
    rows = [*shown(said.settings, said.places)]
    if as_objects:
        typer.echo(json.dumps([{"setting": row.setting, "value": row.value, "origin": row.origin} for row in rows]))
    else:
        typer.echo("\n".join(_lines(rows)))
    return Exit.OK


def _lines(rows: Sequence[Shown]) -> list[str]:
    names, values = [row.setting for row in rows], [written(row.value) for row in rows]
    wide, long = max(map(len, names)), max(map(len, values))
    return [
        f"{name:<{wide}}  {value:<{long}}  {row.origin}" for name, value, row in zip(names, values, rows, strict=True)
    ]
