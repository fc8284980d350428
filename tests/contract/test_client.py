"""The Python client has a method for every action and no others; each takes what the catalogue says."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge.client
from bridge.client.calling import Caller
from bridge.client.commands import Copper, Manner, Manners
from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.topics import TopicNames

PAGE = (Path(__file__).parents[2] / "docs/reference/python-client.md").read_text(encoding="utf-8")
OPTIONS = {"self", "expect", "match", "command_id"}


SPEAKING = Copper(Caller("nowhere", TopicNames(), mouth=None), Manner())
"""It never comes to say anything."""


def methods(entity: object) -> Iterator[str]:
    return (name for name, _ in inspect.getmembers(entity, inspect.ismethod) if not name.startswith("_"))


def test_every_entity_has_the_actions_of_the_catalogue_as_methods_and_no_others() -> None:
    entities = {name: value for name, value in vars(SPEAKING).items() if not name.startswith("_")}
    assert {name: set(methods(value)) for name, value in entities.items()} == {
        entity: {row.name.replace("-", "_") for row in CATALOGUE.actions_of(entity)} for entity in CATALOGUE.entities
    }


@pytest.mark.parametrize("row", CATALOGUE.actions, ids=lambda row: f"{row.entity}.{row.name}")
def test_a_method_takes_what_its_action_takes(row: Action) -> None:
    method = getattr(getattr(SPEAKING, row.entity), row.name.replace("-", "_"))
    taken = inspect.signature(method).parameters
    by_place = [name for name, each in taken.items() if each.kind is inspect.Parameter.POSITIONAL_ONLY]
    assert len(by_place) == len(row.needs & {"id", "email"})
    assert ("email" in by_place) is ("email" in row.members)
    assert any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values()) is ("data" in row.members)
    for member in ("expect", "match"):
        assert (member in taken) is (member in row.members)
    assert ("command_id" in taken) is row.effect


def test_no_field_and_no_filter_has_the_name_of_an_option() -> None:
    paging = set(CATALOGUE.paging)
    for entity in CATALOGUE.entities.values():
        assert not OPTIONS & (set(entity.fields) | set(entity.filters) | paging)


def test_a_type_checker_knows_what_an_entity_cannot_do() -> None:
    """The checker refuses both lines, or it would complain of comments that are not needed."""
    with pytest.raises(AttributeError):
        SPEAKING.activity.delete  # type: ignore[attr-defined] # noqa: B018 - looking is the test
    with pytest.raises(AttributeError):
        SPEAKING.company.upsert  # type: ignore[attr-defined] # noqa: B018 - looking is the test


def test_every_exception_is_explained_and_no_other() -> None:
    told = PAGE[PAGE.index("## Exceptions") :]
    exported = [getattr(bridge.client, name) for name in bridge.client.__all__]
    raised = {each.__name__ for each in exported if isinstance(each, type) and issubclass(each, Exception)}
    assert {*re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE), "CommandTrouble"} == raised


def test_every_argument_is_explained_and_no_other() -> None:
    told = PAGE[PAGE.index("## Opening") : PAGE.index("## Methods")]
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == {"prefix", "security", *Manners.__annotations__}
