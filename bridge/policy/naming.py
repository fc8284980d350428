"""Naming: commands that say by name what Copper knows by id, made into commands that say it by id.

Called by `shard.naming`, which gets the lists of the account; members and lists are rows of the catalogue (`names`).
Pure, total, and never a guess: a name that is not exactly one row's is a miss, told with what it could have been.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Name
from bridge.contract.commands import Command
from bridge.policy import custom_values
from bridge.policy.matching import MOST_CANDIDATES, Lists, Miss, Named, absent, called, pick

MOST_PROBLEMS = 100
"""Fields that are named in an answer; there may be thousands."""
_LONGEST_KEY = 80
_RECORDS = frozenset({"record", "changes"})

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Fields of the command to why they cannot be resolved; `doubtful` are the lists in which something was absent."""

    problems: Mapping[str, tuple[str, ...]]
    doubtful: frozenset[str]


def needs(command: Command) -> frozenset[str]:
    """The lists that the names in a command are looked up in; none for a command without names."""
    found = [*_objects(command).values(), command.expect or {}]
    return frozenset(row.list for each in found for row, value in _names(each) if value is not None)


def resolve(command: Command, lists: Lists) -> Command | Unresolved:
    """The same command by ids, its fingerprint as it was. `lists` has all that it `needs`."""
    resolving = _Resolving(lists)
    parts = {path: resolving.by_id(path, entity, each) for (path, entity), each in _objects(command).items()}
    inner = {path.removeprefix("data."): part for path, part in parts.items() if path != "data"}
    data = {**parts.get("data", command.data), **inner}
    expect = command.expect and resolving.by_id("expect", command.entity, command.expect)
    if resolving.problems:
        return Unresolved(dict(list(resolving.problems.items())[:MOST_PROBLEMS]), frozenset(resolving.doubtful))
    return replace(command, data=data, expect=expect)


def _objects(command: Command) -> Mapping[tuple[str, str], Object]:
    """What of `data` describes a record: path and entity to the object. A conversion describes several."""
    action = CATALOGUE.action(command.entity, command.action)
    kind = None if action is None else action.data
    if kind in _RECORDS:
        return {("data", command.entity): command.data}
    if kind in CATALOGUE.shapes:
        return {(f"data.{name}", name): each for name, each in command.data.items() if isinstance(each, Mapping)}
    return {}


def _names(given: Object) -> Iterator[tuple[Name, Any]]:
    """The members that say something by name."""
    for member, value in given.items():
        row = CATALOGUE.names.get(member)
        if row is not None and isinstance(value, _BY_NAME.get(member, object)):
            yield row, value


@dataclass(slots=True)
class _Resolving:
    """One command's way through its objects; what is missed is collected on it."""

    lists: Lists
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)

    def by_id(self, path: str, entity: str, given: Object) -> Object:
        """An object by ids; members that were missed are left out."""
        rows = dict(_names(given))
        resolved = {member: value for member, value in given.items() if CATALOGUE.names.get(member) not in rows}
        for row, value in rows.items():
            read: _Read = _READ.get(row.member, _id)
            found = None if value is None else read(self, row, _Place(path, entity, given), value)
            if isinstance(found, Miss):
                self.miss(f"{path}.{row.member}", row.list, found)
            else:
                resolved[row.field] = found
        return resolved

    def rows(self, row: Name) -> tuple[Named, ...]:
        """The list that a member's names are in."""
        return tuple(self.lists[row.list])

    def miss(self, path: str, of: str, why: Miss) -> None:
        """Take note of a name that is not resolved."""
        self.problems[path] = (*self.problems.get(path, ()), why.reason)
        self.doubtful |= {of} if why.absent else set()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name stands: the path of its object, the entity that describes, and the object itself."""

    path: str
    entity: str
    around: Object


def _id(resolving: _Resolving, row: Name, _place: _Place, name: str) -> Any:
    found = pick(name, resolving.rows(row), row.says, f"use {row.field}")
    return found if isinstance(found, Miss) else found.id


def _activity_type(resolving: _Resolving, row: Name, place: _Place, name: str) -> Any:
    found = _id(resolving, row, place, name)
    return found if isinstance(found, Miss) else {"category": "user", "id": found}


def _stage(resolving: _Resolving, row: Name, place: _Place, name: str) -> Any:
    """A stage of the pipeline that the same object names, else of the only pipeline that has one called so."""
    pipelines = _pipelines(resolving.rows(row), place.around)
    if not pipelines:
        return Miss("cannot be looked for: there is no such pipeline", absent=True)
    found = [(line, stage) for line in pipelines for stage in called(name, line.parts)]
    if len(found) == 1:
        return found[0][1].id
    if not found:
        return absent(name, [stage.name for line in pipelines for stage in line.parts], "stage")
    told = ", ".join(f'{stage.id} of "{line.name}"' for line, stage in found[:MOST_CANDIDATES])
    return Miss(f"there are several of this name, {told}: name the pipeline too, or use {row.field}")


def _pipelines(lines: tuple[Named, ...], around: Object) -> list[Named]:
    by_id, by_name = around.get("pipeline_id"), around.get("pipeline")
    if by_id is not None:
        return [line for line in lines if line.id == by_id]
    return [*lines] if by_name is None else called(by_name, lines)


def _custom_fields(resolving: _Resolving, row: Name, place: _Place, given: Object) -> list[dict[str, Any]]:
    """Copper's list; every key and value that was missed is told under its own path."""
    fields = [each for each in resolving.rows(row) if place.entity in each.entities]
    found: dict[int, Any] = {}
    for key, value in given.items():
        one = custom_values.definition(key, fields)
        taken = one if isinstance(one, Miss) else custom_values.value(one, value)
        if isinstance(one, Named) and one.id in found:
            taken = Miss("is given twice, by name and by id or in two spellings")
        if isinstance(taken, Miss):
            resolving.miss(f"{place.path}.{row.member}.{key[:_LONGEST_KEY]}", row.list, taken)
        elif isinstance(one, Named):
            found[one.id] = taken
    return [{"custom_field_definition_id": each, "value": value} for each, value in found.items()]


_BY_NAME: Mapping[str, type] = MappingProxyType({"type": str, "custom_fields": dict})
"""Member that is called like its field to what it looks like by name."""
_Read = Callable[[_Resolving, Name, _Place, Any], Any]
_READ: Mapping[str, _Read] = MappingProxyType(
    {"pipeline_stage": _stage, "type": _activity_type, "custom_fields": _custom_fields}
)
"""Member to how it is read, for those that are more than a row's id."""
