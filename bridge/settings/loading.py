"""All sources into one `Settings`, or one report of everything that is wrong.

Called by the composition root, the command line and tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.settings.reporting import Place, Problem, SettingsProblem, problems
from bridge.settings.sources import Source, from_environment, from_flags, from_secrets, from_yaml, merged
from bridge.settings.whole import Reach, Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for everything that was said the place that said it: what is not there is a default."""

    settings: Settings
    places: Mapping[Place, str]


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """The settings of the file at `path`, secret files, `environ` and `overrides`; the later win.

    Raises `SettingsProblem`, whose text is the report to show.
    """
    return loaded(path, environ, overrides).settings


def loaded(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Loaded:
    """The same with where everything comes from."""
    everything = _everything(path, environ, overrides)
    try:
        return Loaded(Settings.model_validate(everything.values), everything.places)
    except ValidationError as error:
        report = problems(error, Settings, everything.places, str(path or ""))
    raise SettingsProblem(report)  # outside the handler: the validator's error holds what was typed in


def _everything(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Source:
    file = from_yaml(path) if path else Source()
    environment, flags = from_environment(environ), from_flags(overrides)
    secrets = _secrets(merged([file, environment, flags]))
    return merged([file, secrets, environment, flags])


def load_reach(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Reach:
    """Of the same sources only what it takes to get at the topics; nothing else in them is looked at."""
    everything = _everything(path, environ, overrides)
    values = {name: everything.values[name] for name in Reach.model_fields if name in everything.values}
    try:
        return Reach.model_validate(values)
    except ValidationError as error:
        report = problems(error, Reach, everything.places, str(path or ""))
    raise SettingsProblem(report)  # outside the handler, as above


def _secrets(spoken: Source) -> Source:
    directory = spoken.values.get("secrets_dir")
    if directory is None:
        return from_secrets(Settings.model_fields["secrets_dir"].default)
    if not Path(directory).is_dir():
        where = spoken.places[("secrets_dir",)]
        raise SettingsProblem([Problem(where, ("secrets_dir",), "there is no such directory")])
    return from_secrets(Path(directory))
