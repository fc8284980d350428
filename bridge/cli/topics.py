"""`topics plan` and `topics apply`: what differs between the topics and what they must be, and mending it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from bridge.app.topics import applied, planned
from bridge.cli.exits import Exit, exit_code
from bridge.cli.settings import settings_of
from bridge.kafka.topics import KafkaUnreachable, TopicsUnfit
from bridge.policy.topics import Difference, Missing, Setting
from bridge.settings import Settings, SettingsProblem


def compare_topics(config: Path | None, pairs: Sequence[str], *, apply: bool, as_objects: bool) -> int:
    """Print what differs, and with `apply` mend it; the exit code."""
    try:
        settings = settings_of(config, pairs).settings
    except SettingsProblem as problem:
        typer.echo(str(problem), err=True)
        return Exit.SETTINGS
    try:
        return exit_code(_compare(settings, apply=apply, as_objects=as_objects))
    except KafkaUnreachable as problem:
        typer.echo(f"Kafka at {settings.kafka.bootstrap_servers} cannot be used: {problem}", err=True)
    except TopicsUnfit as problem:
        typer.echo(str(problem), err=True)
    return Exit.KAFKA


async def _compare(settings: Settings, *, apply: bool, as_objects: bool) -> int:
    differ = await planned(settings)
    for text in [json.dumps([*map(_as_object, differ)])] if as_objects else map(_line, differ):
        typer.echo(text)
    if not differ:
        typer.echo("every topic is as it should be", err=True)
        return Exit.OK
    if not apply:
        return Exit.DIFFERENT
    if not await applied(settings, differ):
        typer.echo("nothing was changed: see what cannot be", err=True)
        return Exit.DIFFERENT
    typer.echo("done", err=True)
    return Exit.OK


def _line(each: Difference) -> str:
    match each:
        case Missing():
            config = " ".join(f"{key}={value}" for key, value in each.config.items())
            return f"create  {each.topic}  {each.partitions} partitions, {each.replicas} replicas, {config}"
        case Setting():
            return f"alter   {each.topic}  {each.key} {each.found} -> {each.wanted}"
        case _:
            return f"cannot  {each.topic}  {each.what}; {each.fix}"


def _as_object(each: Difference) -> dict[str, Any]:
    match each:
        case Missing():
            said: dict[str, Any] = {"partitions": each.partitions, "replicas": each.replicas, "config": each.config}
            return {"do": "create", "topic": each.topic, **said}
        case Setting():
            return {"do": "alter", "topic": each.topic, "key": each.key, "found": each.found, "wanted": each.wanted}
        case _:
            return {"do": "cannot", "topic": each.topic, "message": each.what, "fix": each.fix}
