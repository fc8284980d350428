"""Who is given which shard when the group changes: aiokafka's sticky assignor, which moves as few as it can.

Called by `bridge.kafka.membership`. Round robin, aiokafka's default, deals everything anew: of 64 shards among eight
members it moves five times what has to move.

It goes by the name of round robin, the only one that earlier versions know: a group agrees on a name that all its
members have, whoever leads it deals in its own way, and the others take what they are given. Two names side by side
would do the same if aiokafka 0.14 did not join once for each, which throws a group into rebalances without end.
"""

from collections.abc import Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

EPOCH_BYTES = 4


def sticky() -> type[StickyPartitionAssignor]:
    """An assignor for one member.

    aiokafka's remembers in its class what was assigned, for all consumers of the process: hence a class for each. And
    it is never told the generation, so that a member that was away for long claims what it once held like anybody:
    hence the leader numbers the assignments, and the number comes back with the claim. The latest claim counts.
    """

    class Sticky(StickyPartitionAssignor):  # type: ignore[misc] # aiokafka is untyped
        name = RoundRobinPartitionAssignor.name

        @classmethod
        def assign(
            cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
        ) -> dict[str, ConsumerProtocolMemberAssignment]:
            """Deal, and number it one higher than every claim."""
            dealt = super().assign(cluster, members)
            epoch = 1 + max(0, *(cls.parse_member_metadata(each).generation for each in members.values()))
            number = epoch.to_bytes(EPOCH_BYTES, "big")
            return {
                member: ConsumerProtocolMemberAssignment(each.version, each.assignment, number)
                for member, each in dealt.items()
            }

        @classmethod
        def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
            """Remember it, to claim it next time."""
            super().on_assignment(assignment)
            cls.generation = int.from_bytes(assignment.user_data or b"", "big")

    return Sticky
