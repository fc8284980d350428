"""Where settings come from: a YAML file, an environment, a directory of secret files, flags.

Each becomes a `Source`: nested text values and, for every one of them, the place it stands. Called by
`bridge.settings.loading`; knows nothing of what the keys mean, but that accounts have `-` where variables have `_`.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from bridge.settings.reporting import PREFIX, Place, Problem, SettingsProblem

CONFIG = "BRIDGE_CONFIG"  # names the file itself, to the command line
# What Kubernetes puts into every pod's environment for a Service called `bridge` or `bridge-…`.
_FOREIGN = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
_NULL = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Source:
    """Values as nested mappings, and where each key stands."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Place, str] = field(default_factory=dict)

    def put(self, place: Place, value: Any, where: str) -> None:
        """Set one value, making the mappings on the way to it."""
        at = self.values
        for key in place[:-1]:
            inner = at.setdefault(key, {})
            if not isinstance(inner, dict):
                inner = at[key] = {}
            at = inner
        at[place[-1]] = value
        self.places[place] = where


def from_yaml(path: Path) -> Source:
    """The file's content. Every scalar stays text (so that `manage: off` is the word), only a bare null is None."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise SettingsProblem(
            [Problem(str(path), (), "there is no such file; name one with -c, or write it")]
        ) from None
    except (OSError, UnicodeDecodeError):
        raise SettingsProblem([Problem(str(path), (), "cannot be read as UTF-8 text by this user")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SettingsProblem([Problem(where, (), f"is no valid YAML: {error.problem}")]) from None
    except yaml.reader.ReaderError as error:
        what = f"is no valid YAML: U+{error.character:04X} may not be in it"
        raise SettingsProblem([Problem(str(path), (), what)]) from None
    if root is None:
        return Source()
    if not isinstance(root, yaml.MappingNode):
        raise SettingsProblem([Problem(f"{path}:1", (), "must be a mapping of settings, such as `copper: …`")])
    places: dict[Place, str] = {}
    try:
        return Source(_plain(root, (), path, places), places)
    except RecursionError:
        raise SettingsProblem(
            [Problem(str(path), (), "contains itself by an alias, or is nested too deeply")]
        ) from None


def _plain(node: yaml.Node, place: Place, path: Path, places: dict[Place, str]) -> Any:
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in places:
                here = f"{path}:{key.start_mark.line + 1}"
                raise SettingsProblem([Problem(here, inner, f"stands twice; the other is {places[inner]}")])
            places[inner] = f"{path}:{key.start_mark.line + 1}"
            result[inner[-1]] = _plain(value, inner, path, places)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, place, path, places) for value in node.value]
    return None if node.value in _NULL and cast("yaml.ScalarNode", node).style is None else node.value


def from_environment(environ: Mapping[str, str]) -> Source:
    """`BRIDGE_COPPER__TIMEOUT=5s` is `copper.timeout`. An empty variable counts as not set."""
    source = Source()
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX) and name != CONFIG and value and not _is_foreign(name):
            source.put(_place(name.removeprefix(PREFIX).lower().split("__")), value, f"environment {name}")
    return source


def _is_foreign(name: str) -> bool:
    return "__" not in name and _FOREIGN.fullmatch(name.removeprefix(PREFIX)) is not None


def from_secrets(directory: Path) -> Source:
    """Files below `directory`, each holding one value; a directory that is not there is empty.

    `kafka/password` and `kafka__password` are the same, since a mounted Secret has no sub-directories of its own.
    """
    source, problems = Source(), []
    for file in sorted(secret_files(directory)):
        parts = "__".join(file.relative_to(directory).parts).split("__")
        try:
            source.put(_place(parts), file.read_text(encoding="utf-8").strip(), str(file))
        except (OSError, UnicodeDecodeError):
            problems.append(Problem(str(file), (), "cannot be read as UTF-8 text by this user"))
    if problems:
        raise SettingsProblem(problems)
    return source


def secret_files(directory: Path) -> Iterator[Path]:
    """Every file below the directory that holds a setting."""
    # Kubernetes mounts a Secret as links into a hidden directory: links are followed, hidden names are not entered.
    for parent, directories, files in os.walk(directory, followlinks=True):
        directories[:] = [name for name in directories if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _place(parts: Sequence[str]) -> Place:
    """Account names have no `_`, variables no `-`: below `accounts` the one is the other."""
    return tuple(
        part.replace("_", "-") if parts[0] == "accounts" and at == 1 else part for at, part in enumerate(parts)
    )


def from_flags(overrides: Mapping[str, Any]) -> Source:
    """Nested values as a program or the command line gives them; they win over everything."""
    source = Source()
    for place, value in _leaves(overrides, ()):
        source.put(place, value, "flag")
    return source


def _leaves(values: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*place, key))
        else:
            yield (*place, key), value


def merged(sources: Sequence[Source]) -> Source:
    """All together; later ones win, mapping by mapping."""
    result = Source()
    for source in sources:
        _merge(result.values, source.values)
        result.places.update(source.places)
    return result


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, dict):
            into[key] = {}
            _merge(into[key], value)
        elif not (value is None and isinstance(into.get(key), dict)):
            into[key] = value
