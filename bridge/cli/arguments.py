"""Arguments of the command line as values: `name=Acme`, `copper.timeout=10s`, `30s`, `company.create`, `now`. Pure."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import typer

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.headers import LANES
from bridge.contract.payloads import did_you_mean
from bridge.contract.records import Position


def seconds(text: str) -> float:
    """A duration such as `30s`, in seconds."""
    from bridge.settings.values import duration

    try:
        return float(duration(text).total_seconds())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def moment(text: str, now: float) -> float:
    """`now`, or a time as RFC 3339 has it, in Unix seconds."""
    if text == "now":
        return now
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(text.upper())
        if at.tzinfo is not None:
            return at.timestamp()
    raise typer.BadParameter("must be now, or a time such as 2027-01-04T09:12:44Z")


def lane(text: str) -> str:
    """A lane that commands may take."""
    if text not in LANES:
        raise typer.BadParameter("must be " + " or ".join(LANES), param_hint="--lane")
    return text


def instant(text: str, now: float) -> float:
    """A time as RFC 3339 has it, or how long ago: `2h`. In Unix seconds."""
    from bridge.settings.values import duration

    with contextlib.suppress(ValueError):
        return now - float(duration(text).total_seconds())
    with contextlib.suppress(typer.BadParameter):
        return moment(text, now)
    raise typer.BadParameter("must be a time such as 2027-01-04T09:12:44Z, or how long ago, such as 2h")


def commanded(text: str) -> str:
    """An entity that has commands."""
    if text not in CATALOGUE.entities:
        raise typer.BadParameter(f"unknown entity {text!r}{did_you_mean(text, list(CATALOGUE.entities))}")
    return text


def position(text: str, topics: Iterable[str]) -> Position:
    """`<topic>-<partition>-<offset>` in one of these topics."""
    found = Position.parse(text)
    if found is None or found.topic not in topics:
        raise typer.BadParameter("must be where a dead letter lies, such as copper.lead.commands-dlt-1-42: see dlt ls")
    return found


def followed(text: str) -> str:
    """An entity that has events."""
    if text not in CATALOGUE.followed:
        raise typer.BadParameter(f"unknown entity {text!r}{did_you_mean(text, CATALOGUE.followed)}")
    return text


def nested(pairs: Iterable[str], *, parse: bool) -> dict[str, Any]:
    """`a.b=1` as `{"a": {"b": …}}`. With `parse`, a value that is JSON is that, and anything else is text."""
    result: dict[str, Any] = {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals or not path:
            raise typer.BadParameter(f"{pair.partition('=')[0]!r} is not of the form key=value")
        *way, last = path.split(".")
        at = result
        for key in way:
            at = at.setdefault(key, {})
            if not isinstance(at, dict):
                raise typer.BadParameter(f"{key!r} is given a value and keys of its own")
        at[last] = _value(text) if parse else text
    return result


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def action(text: str) -> Action:
    """`company.create` as its row in the catalogue."""
    entity, _, name = text.partition(".")
    found = CATALOGUE.action(entity, name)
    if found is None:
        known = [f"{row.entity}.{row.name}" for row in CATALOGUE.actions]
        raise typer.BadParameter(f"unknown action {text!r}{did_you_mean(text, known)}")
    return found


def members(action: Action, given: Mapping[str, Any]) -> dict[str, Any]:
    """Pairs sorted into what a command is made of: what the action takes beside its data, and its data."""
    names = {"id": "record_id", "email": "email", "match": "match", "expect": "expect"}
    beside = {names[key]: value for key, value in given.items() if key in names and key in action.members}
    data = {key: value for key, value in given.items() if key not in names or key not in action.members}
    return beside | ({"data": data} if data else {})
