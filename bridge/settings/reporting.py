"""What is wrong with the settings, said to the operator: where, what, and the way out, all of it at once.

Called by the other modules of `bridge.settings`. Values never appear: they may be secrets.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

Place = tuple[str, ...]
"""The keys that lead to a setting: `("copper", "timeout")`."""

PREFIX = "BRIDGE_"
"""What all variables of the environment begin with."""

_WORDS = {
    "missing": "is required",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "path_type": "must be the path of a file or directory",
    "string_type": "must be text",
    "string_pattern_mismatch": "must match {pattern}",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
}
_SECRETS = {"api_key", "password", "client_secret", "hash_key"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands (a file and line, a variable), which setting, and what about it."""

    where: str
    place: Place
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, ".".join(self.place), self.what) if part)


class SettingsProblem(Exception):
    """The settings cannot be used. The text is the whole report, ready to be shown; no value is in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([*map(str, problems), f"{count}, nothing started."]))


def problems(error: ValidationError, root: type[BaseModel], places: Mapping[Place, str], file: str) -> list[Problem]:
    """The validator's findings in our words, in the order of their places. `file` is named for what stands nowhere."""
    found = [_problem(dict(row), root, places, file) for row in error.errors(include_input=False, include_url=False)]
    return sorted(found, key=lambda problem: (problem.where.partition(":")[0], _line(problem.where), problem.place))


def _problem(row: Mapping[str, Any], root: type[BaseModel], places: Mapping[Place, str], file: str) -> Problem:
    place = tuple(str(part) for part in row["loc"] if not isinstance(part, int) and part != "[key]")
    return Problem(_where(place, places, file), place, _what(row, place, root))


def _where(place: Place, places: Mapping[Place, str], file: str) -> str:
    nearest = (place[:length] for length in range(len(place), 0, -1))
    return next((places[part] for part in nearest if part in places), file)


def _line(where: str) -> int:
    line = where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _what(row: Mapping[str, Any], place: Place, root: type[BaseModel]) -> str:
    kind, context = row["type"], row.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown key" + _suggestion(place[-1], _keys(root, place[:-1]))
    if place == ("accounts",):
        return "at least one account is needed, such as `accounts: {acme: {user_email: ops@acme.example}}`"
    if kind == "value_error":
        what = str(context["error"])
        return what + (_way_out(place) if "required" in what else "")
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    return str(row["msg"]).replace("Input should be", "must be")


def _way_out(place: Place) -> str:
    if place[-1] not in _SECRETS:
        return ""
    return f"; set {variable(place)}, or mount a file {'/'.join(place)} in secrets_dir"


def variable(place: Place) -> str:
    """The environment's name for a setting."""
    return PREFIX + "__".join(place).upper().replace("-", "_")


def _suggestion(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(sorted(known))}"


def _keys(root: type[BaseModel], place: Place) -> list[str]:
    """The keys of the group at that place, which exists: something in it was refused."""
    group: Any = root
    for key in place:
        if key in group.model_fields:  # the name of an account is no field: its group was reached with the key before
            group = next(_groups(group.model_fields[key].annotation))
    return list(group.model_fields)


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:
    """The groups an annotation speaks of: itself, or inside `dict[…]` and `… | None`."""
    if _is_group(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _groups(part)


def _is_group(what: Any) -> bool:
    return isinstance(what, type) and issubclass(what, BaseModel)
