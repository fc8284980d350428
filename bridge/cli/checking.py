"""`check`: a line for everything a bridge needs, and an exit code for what is wrong with it."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import typer

from bridge.app.checking import elsewhere, here
from bridge.cli.exits import Exit
from bridge.cli.settings import settings_file, settings_of
from bridge.policy.checks import Line, Part, fine, wrong
from bridge.settings import Settings, SettingsProblem

_CODES = {
    Part.SETTINGS: Exit.SETTINGS,
    Part.STATE: Exit.SETTINGS,
    Part.COPPER: Exit.COPPER,
    Part.CLOCK: Exit.COPPER,
    Part.KAFKA: Exit.KAFKA,
    Part.TOPICS: Exit.KAFKA,
}
"""Of several that are wrong the first one's code counts; webhooks are never wrong."""
_INDENT = " " * 19


def check(config: Path | None, pairs: Sequence[str], *, offline: bool, as_objects: bool) -> int:
    """Look at everything and tell it line by line; the exit code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of is a line of ours
    told: list[Line] = []

    def say(line: Line) -> None:
        told.append(line)
        if not as_objects:
            typer.echo(_text(line))

    try:
        settings = settings_of(config, pairs).settings
    except SettingsProblem as problem:
        for line in _problems(problem):
            say(line)
    else:
        for line in chain([_settings(config, settings)], here(settings)):
            say(line)
        if not offline:
            asyncio.run(_elsewhere(settings, say))
    if as_objects:
        typer.echo(json.dumps([_object(line) for line in told]))
    return _ended(told)


async def _elsewhere(settings: Settings, say: Callable[[Line], None]) -> None:
    async for line in elsewhere(settings):
        say(line)


def _settings(config: Path | None, settings: Settings) -> Line:
    count = len(settings.accounts)
    where = settings_file(config) or "the environment"
    return fine(Part.SETTINGS, f"{where}: {count} account{'' if count == 1 else 's'}, instance {settings.instance}")


def _problems(problem: SettingsProblem) -> Iterator[Line]:
    for each in problem.problems:
        what, _, way_out = str(each).partition("; ")
        yield wrong(Part.SETTINGS, what, way_out or "copper-bridge config init prints every setting as it is written")


def _ended(told: Sequence[Line]) -> int:
    bad, known = [line for line in told if not line.ok], [line for line in told if line.ok and line.fix]
    warnings = f", {len(known)} to be known" if known else ""
    typer.echo((f"{len(bad)} wrong" if bad else "nothing is wrong") + warnings, err=True)
    codes = [_CODES[line.part] for line in bad]
    return min(codes, default=Exit.OK)


def _text(line: Line) -> str:
    state = "wrong" if not line.ok else "warning" if line.fix else "ok"
    text = f"{state:<9}{line.part:<10}{line.message}"
    return f"{text}\n{_INDENT}-> {line.fix}" if line.fix else text


def _object(line: Line) -> dict[str, str | bool | None]:
    return {"part": line.part, "ok": line.ok, "message": line.message, "fix": line.fix or None}
