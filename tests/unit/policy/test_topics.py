"""What counts as a topic that is not as wanted, what of it keeps a bridge from starting, and the way out."""

import pytest

from bridge.contract.topics import TopicSpec
from bridge.policy.topics import Difference, Found, Missing, Setting, differences, line

WANTED = TopicSpec(
    "journal",
    {"cleanup.policy": "compact,delete", "max.message.bytes": "2000", "retention.ms": "500", "segment.bytes": "100"},
)
FIT = WANTED.config | {"min.insync.replicas": "2"}


def differ(found: Found | None) -> list[Difference]:
    return list(differences([WANTED], {} if found is None else {"journal": found}, partitions=4, replicas=3))


@pytest.mark.parametrize(
    "config",
    [
        FIT,
        FIT | {"cleanup.policy": "delete, compact"},
        FIT | {"max.message.bytes": "3000"},
        FIT | {"retention.ms": "501"},
        FIT | {"retention.ms": "-1"},
        FIT | {"segment.bytes": "99"},
        FIT | {"min.insync.replicas": "3"},
        FIT | {"preallocate": "true"},
    ],
)
def test_what_is_stricter_or_in_another_order_is_no_difference(config: dict[str, str]) -> None:
    assert differ(Found(4, config)) == []


@pytest.mark.parametrize(
    ("found", "words", "vital"),
    [
        (None, "missing, or hidden from this user; copper-bridge topics apply, or set topics.manage", True),
        (Found(3, FIT), "has 3 partitions, topics.partitions says 4; set topics.partitions to 3, or use another", True),
        (Found(5, FIT), "has 5 partitions", True),
        (Found(4, FIT, replicas=2), "has 2 replicas, topics.replication_factor says 3; set topics.replication", False),
        (Found(4, FIT | {"cleanup.policy": "compact"}), "cleanup.policy is compact, must be compact,delete; ", True),
        (Found(4, FIT | {"max.message.bytes": "1999"}), "max.message.bytes is 1999, must be at least 2000; ", True),
        (Found(4, FIT | {"retention.ms": "499"}), "retention.ms is 499, must be at least 500; ", False),
        (Found(4, FIT | {"segment.bytes": "101"}), "segment.bytes is 101, must be at most 100; ", False),
        (Found(4, FIT | {"min.insync.replicas": "1"}), "min.insync.replicas is 1, must be 2; ", False),
        (Found(4, FIT | {"min.insync.replicas": "4"}), "min.insync.replicas is 4, must be 2; ", True),
    ],
)
def test_what_is_wrong_is_one_line_with_the_way_out(found: Found | None, words: str, vital: bool) -> None:
    (each,) = differ(found)
    assert line(each).startswith(f"journal: {words}")
    assert each.vital == vital


def test_a_missing_topic_is_made_with_all_it_needs() -> None:
    (missing,) = differ(None)
    assert missing == Missing("journal", 4, 3, FIT)
    (single,) = differences([WANTED], {}, partitions=1, replicas=1)
    assert single == Missing("journal", 1, 1, WANTED.config)


def test_all_that_is_wrong_with_a_topic_is_told_and_what_it_has_of_its_own_is_kept() -> None:
    found = Found(3, FIT | {"retention.ms": "1", "segment.bytes": "999"}, replicas=1, own={"preallocate": "true"})
    told = differ(found)
    assert [line(each).split()[1] for each in told] == [
        "has",
        "has",
        "min.insync.replicas",
        "retention.ms",
        "segment.bytes",
    ]
    assert [each.own for each in told if isinstance(each, Setting)] == [{"preallocate": "true"}] * 3


def test_one_replica_needs_no_second_one_in_sync() -> None:
    alone = Found(4, FIT | {"min.insync.replicas": "1"}, replicas=1)
    assert [type(each).__name__ for each in differ(alone)] == ["Unfit"]
