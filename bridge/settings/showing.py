"""The settings that hold, and where each comes from: for `config show`. No secret is ever shown.

Called by the command line; `template` writes values the same way.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from bridge.settings.reporting import Place
from bridge.settings.values import in_words

MASK = "****"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting: `copper.timeout`, its value as JSON knows it, and the place that said so."""

    setting: str
    value: Any
    origin: str


def shown(group: BaseModel, places: Mapping[Place, str], place: Place = ()) -> Iterator[Shown]:
    """Every setting of a group and of those in it. `places` is where each stands that stands anywhere."""
    for name in type(group).model_fields:
        yield from _shown(getattr(group, name), places, (*place, name))


def _shown(value: Any, places: Mapping[Place, str], place: Place) -> Iterator[Shown]:
    if isinstance(value, BaseModel):
        yield from shown(value, places, place)
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _shown(inner, places, (*place, name))
    else:
        yield Shown(".".join(place), plain(value), places.get(place, DEFAULT))


def plain(value: Any) -> Any:
    """A setting's value as JSON has it: spans of time in words, secrets masked."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, timedelta):
        return in_words(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def written(value: Any) -> str:
    """A plain value as it may stand behind `key: ` in a settings file."""
    return value if isinstance(value, str) else json.dumps(value)
