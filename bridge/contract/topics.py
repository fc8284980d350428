"""Names of the bridge's topics and how each keeps its records (contract.md §2).

Called by everything that reads, writes or creates topics. Knows names and settings of topics, no client library and no
number of partitions or replicas: those are chosen by whoever runs the bridge.
"""

from dataclasses import dataclass
from functools import cache

from bridge.contract.catalogue import CATALOGUE

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Every topic of a bridge with the given prefix."""

    prefix: str = "copper"

    def event(self, entity: str, kind: str) -> str:
        """Events of one kind: `created`, `updated`, `upserted` or `deleted`."""
        return f"{self.prefix}.{entity}.{kind}"

    def changes(self, entity: str) -> str:
        """Every change of the entity in order, snapshot rows too."""
        return f"{self.prefix}.{entity}.changes"

    def state(self, entity: str) -> str:
        """The record as last seen, compacted."""
        return f"{self.prefix}.{entity}.state"

    def commands(self, entity: str) -> str:
        """Requests."""
        return f"{self.prefix}.{entity}.commands"

    def replies(self, entity: str) -> str:
        """Answers to commands that name no other topic."""
        return f"{self.prefix}.{entity}.replies"

    def dead_letters(self, entity: str) -> str:
        """Commands that can never be carried out."""
        return f"{self.prefix}.{entity}.commands-dlt"

    @property
    def inbox(self) -> str:
        """Webhook notifications, written before Copper gets its answer."""
        return f"{self.prefix}.bridge.inbox"

    @property
    def cursors(self) -> str:
        """How far each scan and each input topic has been read; its partitions are the shards."""
        return f"{self.prefix}.bridge.cursors"

    @property
    def journal(self) -> str:
        """What commands were attempted and how they ended."""
        return f"{self.prefix}.bridge.journal"

    @property
    def control(self) -> str:
        """What operators ask of a running bridge: snapshots, sweeps, decisions about deletes."""
        return f"{self.prefix}.bridge.control"

    @property
    def notifications(self) -> str:
        """What the bridge tells its operators: answers to control messages, progress, deletes held back."""
        return f"{self.prefix}.bridge.notifications"

    @property
    def parked(self) -> str:
        """Dead letters that were put back too often: for people only."""
        return f"{self.prefix}.bridge.parked"

    @property
    def watermarks(self) -> str:
        """Up to when everything has been published, per account and entity."""
        return f"{self.prefix}.bridge.watermarks"

    @property
    def accounts(self) -> str:
        """Accounts that connected themselves, their tokens sealed; read by every replica."""
        return f"{self.prefix}.bridge.accounts"

    def may_take_replies(self, topic: str) -> bool:
        """False for this bridge's own topics other than replies, and for Kafka's internal ones.

        A reply there would be taken for an event, a state or a command.
        """
        return not topic.startswith((f"{self.prefix}.bridge.", "__")) and topic not in _taken(self.prefix)


@cache
def _taken(prefix: str) -> frozenset[str]:
    return frozenset(spec.name for spec in topic_specs(TopicNames(prefix)) if not spec.name.endswith(".replies"))


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic and its settings as Kafka names them, values as text. Partitions and replicas are not said here."""

    name: str
    config: dict[str, str]


def topic_specs(names: TopicNames) -> tuple[TopicSpec, ...]:
    """All topics of a bridge, entities in the catalogue's order, the bridge's own last."""
    of_entities = [spec for entity in CATALOGUE.entities for spec in _specs_of(names, entity)]
    return (
        *of_entities,
        TopicSpec(names.inbox, _kept(days=7)),
        TopicSpec(names.cursors, _compacted()),
        TopicSpec(names.control, _kept(days=7)),
        TopicSpec(names.notifications, _kept(days=30)),
        TopicSpec(names.watermarks, _compacted()),
        TopicSpec(names.accounts, _compacted()),
        TopicSpec(names.parked, _buried(days=90)),
        TopicSpec(names.journal, _compacted() | {"cleanup.policy": "compact,delete"} | _retention(days=30)),
    )


def _specs_of(names: TopicNames, entity: str) -> list[TopicSpec]:
    kinds = CATALOGUE.kinds(entity)
    specs = [TopicSpec(names.event(entity, kind), _kept(days=14)) for kind in kinds]
    if kinds:
        specs += [TopicSpec(names.changes(entity), _kept(days=14)), TopicSpec(names.state(entity), _compacted())]
    return [
        *specs,
        TopicSpec(names.commands(entity), _kept(days=7)),
        TopicSpec(names.replies(entity), _kept(days=7)),
        TopicSpec(names.dead_letters(entity), _buried(days=30)),
    ]


def _kept(*, days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete"} | _retention(days=days)


def _buried(*, days: int) -> dict[str, str]:
    # A dead letter is its command, which may be as large as the brokers' default allows, and the reasons.
    return _kept(days=days) | {"max.message.bytes": str(2 * 1024 * 1024)}


def _retention(*, days: int) -> dict[str, str]:
    return {"retention.ms": str(days * _DAY_MS)}


def _compacted() -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        # A memory older than half of this is thrown away, so no tombstone can be missed.
        "delete.retention.ms": str(7 * _DAY_MS),
        # A reader up to an hour behind still sees every version.
        "min.compaction.lag.ms": str(_DAY_MS // 24),
        # The active segment is never compacted: small ones keep a restore from nothing short.
        "segment.bytes": str(64 * 1024 * 1024),
        "segment.ms": str(_DAY_MS),
    }
