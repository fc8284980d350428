"""What counts as a topic that is not as wanted."""

import pytest

from bridge.contract.topics import TopicSpec
from bridge.kafka.topics import Found, differences

WANTED = TopicSpec("journal", {"cleanup.policy": "compact,delete", "max.message.bytes": "2000"})
FIT = {"cleanup.policy": "compact,delete", "max.message.bytes": "2000"}


def problems(found: Found | None) -> list[str]:
    return list(differences([WANTED], {} if found is None else {"journal": found}, partitions=4))


@pytest.mark.parametrize(
    "config",
    [
        FIT,
        FIT | {"cleanup.policy": "delete, compact"},
        FIT | {"max.message.bytes": "3000"},
        FIT | {"retention.ms": "1"},
    ],
)
def test_policies_in_any_order_larger_limits_and_other_retentions_are_fine(config: dict[str, str]) -> None:
    assert problems(Found(4, config)) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "missing"),
        (Found(3, FIT), "has 3 partitions"),
        (Found(5, FIT), "has 5 partitions"),
        (Found(4, FIT | {"cleanup.policy": "compact"}), "cleanup.policy is compact"),
        (Found(4, FIT | {"max.message.bytes": "1999"}), "max.message.bytes is 1999"),
    ],
)
def test_what_is_wrong_is_one_line_that_begins_with_the_topic(found: Found | None, words: str) -> None:
    (problem,) = problems(found)

    assert problem.startswith("journal: ")
    assert words in problem
