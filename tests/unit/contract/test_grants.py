"""The page of ACLs says what the code grants, and the code grants no more than there is."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bridge.contract.grants import Grant, as_commands, of_bridge, of_caller, of_consumer, of_operator
from bridge.contract.topics import TopicNames, topic_specs

NAMES = TopicNames()
TOPICS = {spec.name for spec in topic_specs(NAMES)}
PAGE = (Path(__file__).parents[3] / "docs/reference/kafka-acls.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("principal", "grants"),
    [
        ("User:bridge", of_bridge(NAMES, "copper-bridge")),
        ("User:shop", of_consumer(["copper.company.updated"], "shop")),
        ("User:shop", of_caller(NAMES, ["company"])),
        ("User:ops", of_operator(NAMES)),
    ],
    ids=["bridge", "consumer", "caller", "operator"],
)
def test_the_page_shows_the_commands_that_grant_it(principal: str, grants: list[Grant]) -> None:
    assert f"```sh\n{as_commands(grants, principal)}\n```" in PAGE


def allowed(grants: Sequence[Grant], operation: str) -> set[str]:
    return {
        name for grant in grants if grant.resource == "topic" and operation in grant.operations for name in grant.names
    }


def test_a_bridge_may_make_and_describe_its_topics_and_nothing_else() -> None:
    grants = of_bridge(NAMES, "copper-bridge")
    assert allowed(grants, "Create") == allowed(grants, "DescribeConfigs") == TOPICS
    assert allowed(grants, "Read") | allowed(grants, "Write") == TOPICS - {NAMES.parked}


def test_a_bridge_that_makes_no_topics_may_not() -> None:
    assert not allowed(of_bridge(NAMES, "copper-bridge", "verify"), "Create")
    assert not allowed(of_bridge(NAMES, "copper-bridge", "off"), "DescribeConfigs")


@pytest.mark.parametrize("party", [of_operator, lambda names: of_caller(names, ["lead"])], ids=["operator", "caller"])
def test_nobody_but_the_bridge_may_write_events_states_or_what_it_keeps(
    party: Callable[[TopicNames], list[Grant]],
) -> None:
    own = re.compile(r".*\.(created|updated|upserted|deleted|changes|state|replies|cursors|journal|inbox|watermarks)")
    assert not {name for name in allowed(party(NAMES), "Write") if own.fullmatch(name)}
