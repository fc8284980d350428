"""The catalogue: entities with their fields, triggers and actions, as `topics/catalogue.toml` says them.

Read once at import and used by everything that decodes, validates, publishes or documents messages. Knows no Copper
call and no Kafka; a row says what is promised, not how it is done.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Shape = Mapping[str, Any]
"""JSON Schema with the three words of the catalogue's own: see the head of its section `shapes`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. `type` names a shape; `values` are all that a command may say, empty when free."""

    name: str
    type: str
    writable: bool = False
    nullable: bool = False
    required: bool = False
    """A create must bring it."""
    quiet: str | None = None
    """The class of a change of nothing but such fields: `interaction` or `enrichment`."""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of record. `filters` maps a search filter to its shape; `example` is a whole record, nulls filled in."""

    name: str
    title: str
    fields: Mapping[str, Field]
    filters: Mapping[str, str]
    sort_by: tuple[str, ...]
    example: Mapping[str, Any]

    def writable(self) -> tuple[Field, ...]:
        """The fields a command may carry in `data`."""
        return tuple(each for each in self.fields.values() if each.writable)


@dataclass(frozen=True, slots=True)
class Name:
    """A member that says by name what `field` says by id. `list` is where Copper keeps the names."""

    member: str
    field: str
    list: str
    says: str
    """What a row of the list is, in words."""
    shape: str = "name"

    @property
    def in_place(self) -> bool:
        """The field itself takes both forms."""
        return self.member == self.field


@dataclass(frozen=True, slots=True)
class Trigger:
    """A kind of event with a topic of its own. `listed`: one of the twelve that may never be missing."""

    entity: str
    kind: str
    title: str
    listed: bool
    noticed: str
    """How the bridge notices it, in words."""


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of command. `needs` and `takes` are the members it must and may carry besides `action` and `account`."""

    entity: str
    name: str
    title: str
    listed: bool
    """One of the twenty that may never be missing."""
    needs: frozenset[str]
    effect: bool
    """It changes something in Copper."""
    example: Mapping[str, Any]
    takes: frozenset[str] = frozenset()
    data: str | None = None
    """What its `data` is: `record`, `changes`, `filters` or the name of a shape."""

    @property
    def members(self) -> frozenset[str]:
        """All members it may carry besides `action` and `account`."""
        return self.needs | self.takes


@dataclass(frozen=True)
class Catalogue:
    """All rows, with look-ups. Mappings keep the order of the file."""

    shapes: Mapping[str, Shape]
    paging: Mapping[str, Shape]
    names: Mapping[str, Name]
    headers: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Family of messages to its headers: `about` in words, `always` when no message lacks it."""
    entities: Mapping[str, Entity]
    triggers: tuple[Trigger, ...]
    actions: tuple[Action, ...]
    _actions: Mapping[tuple[str, str], Action] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_actions", {(row.entity, row.name): row for row in self.actions})

    @property
    def followed(self) -> tuple[str, ...]:
        """The entities whose changes are published; the others take commands only."""
        return tuple(dict.fromkeys(row.entity for row in self.triggers))

    def kinds(self, entity: str) -> tuple[str, ...]:
        """The kinds of event an entity has a topic for; empty for one that takes commands only."""
        return tuple(row.kind for row in self.triggers if row.entity == entity)

    def action(self, entity: str, name: str) -> Action | None:
        """The row of an action, or None when the entity has no such action."""
        return self._actions.get((entity, name))

    def actions_of(self, entity: str) -> tuple[Action, ...]:
        """The actions of an entity, in the order of the file."""
        return tuple(row for row in self.actions if row.entity == entity)


def topics_root() -> Path:
    """The directory of the published contract: inside an installed package, else beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "topics"
    return installed if installed.is_dir() else package.parent / "topics"


def load(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises:
        OSError, tomllib.TOMLDecodeError, KeyError, TypeError: the file is missing or has other columns than promised.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return Catalogue(
        shapes=tables["shapes"],
        paging=tables["paging"],
        names={member: Name(member, **row) for member, row in tables["names"].items()},
        headers=tables["headers"],
        entities={name: _entity(name, table) for name, table in tables["entities"].items()},
        triggers=tuple(Trigger(**row) for row in tables["triggers"]),
        actions=tuple(_action(row) for row in tables["actions"]),
    )


def _entity(name: str, table: Mapping[str, Any]) -> Entity:
    fields = {key: _field(key, row) for key, row in table["fields"].items()}
    # TOML has no null: what the example leaves out is unset.
    example = {key: table["example"].get(key) for key in fields if key in table["example"] or fields[key].nullable}
    return Entity(name, table["title"], fields, table["filters"], tuple(table["sort_by"]), example)


def _field(name: str, row: Mapping[str, Any]) -> Field:
    return Field(name=name, **{**row, "values": tuple(row.get("values", ()))})


def _action(row: Mapping[str, Any]) -> Action:
    members = {"needs": frozenset(row["needs"]), "takes": frozenset(row.get("takes", ()))}
    return Action(**{**row, **members})


CATALOGUE = load(topics_root() / "catalogue.toml")
