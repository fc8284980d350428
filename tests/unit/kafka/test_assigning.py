"""How shards are dealt when members come and go: as few as can be move, whoever leads, whoever has been away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from bridge.kafka.assigning import sticky

TOPIC = "cursors"


class Cluster:
    """The metadata that an assignor looks at."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def topics(self) -> set[str]:
        return {TOPIC}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self._shards))


@dataclass
class Group:
    """Members by name, and what each holds; one of them deals, as the coordinator has it, and any may."""

    shards: int
    made: Callable[[], Any] = sticky
    members: dict[str, Any] = field(default_factory=dict)
    held: dict[str, frozenset[int]] = field(default_factory=dict)

    def join(self, name: str) -> None:
        self.members[name] = self.made()
        self.deal()

    def leave(self, name: str) -> Any:
        del self.held[name]
        gone = self.members.pop(name)
        self.deal()
        return gone

    def deal(self) -> None:
        claims = {
            name: ConsumerProtocolMemberMetadata.decode(each.metadata([TOPIC]).encode())
            for name, each in sorted(self.members.items())
        }
        leader = self.members[max(self.members)]
        for name, told in leader.assign(Cluster(self.shards), claims).items():
            assignment: Any = ConsumerProtocolMemberAssignment.decode(told.encode())
            self.members[name].on_assignment(assignment)
            self.held[name] = frozenset(each.partition for each in assignment.partitions())


def moved(before: Mapping[str, frozenset[int]], after: Mapping[str, frozenset[int]]) -> int:
    """Shards that have another owner than before."""
    return sum(len(shards - before.get(name, frozenset())) for name, shards in after.items())


def needed(before: Mapping[str, frozenset[int]], after: Mapping[str, frozenset[int]]) -> int:
    """How many have to move at least, for shares as even as they are: what nobody's old share can keep."""
    shares = sorted((len(shards) for shards in after.values()), reverse=True)
    old = sorted((len(before.get(name, ())) for name in after), reverse=True)
    return sum(shares) - sum(map(min, old, shares))


def through_changes(shards: int, members: int, made: Callable[[], Any], seed: int) -> tuple[int, int]:
    """How many moved and how many had to, while members joined, and came and went."""
    random, group = Random(seed), Group(shards, made)  # noqa: S311 - chance from a seed
    counts = [0, 0]
    for step in range(members + 20):
        before = dict(group.held)
        if step < members or step % 2:
            group.join(f"bridge-{random.randrange(10**9)}")
        else:
            group.leave(random.choice(sorted(group.members)))
        sizes = [len(each) for each in group.held.values()]
        assert sum(sizes) == shards
        assert max(sizes) - min(sizes) <= 1
        if before:
            counts = [counts[0] + moved(before, group.held), counts[1] + needed(before, group.held)]
    return counts[0], counts[1]


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]} / {counts[1]}"


@pytest.mark.figures
@pytest.mark.parametrize(
    ("shards", "members"), [(4, 3), (12, 3), (64, 8), pytest.param(256, 16, marks=pytest.mark.nightly)]
)
def test_no_more_shards_move_than_must(shards: int, members: int) -> None:
    seed = 7
    ours, robin = (
        through_changes(shards, members, made, seed) for made in (sticky, lambda: RoundRobinPartitionAssignor)
    )
    print(f"{shards} shards, {members} members: moved / needed {_of(ours)}, by round robin {_of(robin)}; seed {seed}")
    assert ours[0] == ours[1]
    assert robin[0] > 1.5 * robin[1]


def test_members_of_one_process_remember_each_its_own() -> None:
    group = Group(4)
    group.join("a")
    group.join("b")
    held = {name: sorted(each.partition for each in member.member_assignment) for name, member in group.members.items()}
    assert held == {name: sorted(shards) for name, shards in group.held.items()}
    assert held["a"] != held["b"]


def test_one_that_was_away_takes_no_more_than_its_share_from_those_who_went_on() -> None:
    """It claims what it held when it was alone; what others were given since is theirs."""
    group = Group(12)
    group.join("a")
    away = group.members.pop("a")
    group.held.clear()
    group.join("b")
    group.join("c")
    before = dict(group.held)

    group.members["a"] = away
    group.deal()

    assert moved(before, group.held) == needed(before, group.held) == 4


def test_what_cannot_be_read_of_a_claim_is_no_claim() -> None:
    group = Group(4)
    group.join("a")
    claim = ConsumerProtocolMemberMetadata(0, [TOPIC], b"?")
    dealt = group.members["a"].assign(Cluster(4), {"a": claim})
    assert sorted(each.partition for each in dealt["a"].partitions()) == [0, 1, 2, 3]


def test_members_of_the_versions_before_are_dealt_with_and_deal_themselves() -> None:
    group = Group(12)
    for name, made in (("a", sticky), ("b", lambda: RoundRobinPartitionAssignor), ("c", sticky)):
        group.made = made
        group.join(name)  # the last one leads: ours, an old one, ours
        assert sorted(shard for held in group.held.values() for shard in held) == [*range(12)]
