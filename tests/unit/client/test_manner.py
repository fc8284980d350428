"""In which manner commands are given."""

import dataclasses
from typing import Literal

import pytest

from bridge.client.calling import id_for
from bridge.client.commands import Manner, Manners
from bridge.contract.catalogue import CATALOGUE


@pytest.mark.parametrize(("deadline", "expected"), [("timeout", 1_030.0), (5.0, 1_005.0), (None, None), (0.0, 1_000.0)])
def test_the_deadline_is_the_timeout_unless_it_is_given(
    deadline: float | Literal["timeout"] | None, expected: float | None
) -> None:
    assert Manner(timeout=30.0, deadline=deadline).deadline_at(1_000.0) == expected


def test_all_of_a_manner_can_be_said() -> None:
    assert set(Manners.__annotations__) == {field.name for field in dataclasses.fields(Manner)}


def test_what_changes_something_gets_an_id_of_its_own_and_a_read_only_the_one_it_is_given() -> None:
    for row in CATALOGUE.actions:
        assert id_for(row, "mine") == "mine"
        fresh = id_for(row, None), id_for(row, None)
        assert (fresh == (None, None)) is not row.effect
        assert row.effect is (fresh[0] != fresh[1])
