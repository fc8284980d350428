"""What each party needs to be allowed on Kafka, and not a thing more: the rows behind docs/reference/kafka-acls.md.

Called by whoever writes that page and by the tests, which grant exactly this to a bridge on a broker with an
authorizer.
Pure; knows topics by name and Kafka's operations, of which Read and Write bring Describe with them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames, topic_specs

Manage = Literal["create", "verify", "off"]
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = "Read", "Write", "Create", "Describe", "DescribeConfigs"


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on resources of one kind. `prefixed`: on everything whose name begins so."""

    resource: Literal["topic", "group", "transactional-id"]
    names: tuple[str, ...]
    operations: tuple[str, ...]
    prefixed: bool = False


def of_bridge(names: TopicNames, instance: str, manage: Manage = "create") -> list[Grant]:
    """A bridge: its topics, its two consumer groups, the transactional ids of its shards."""
    entities, followed = [*CATALOGUE.entities], CATALOGUE.followed
    told = [
        *(names.event(entity, kind) for entity in entities for kind in CATALOGUE.kinds(entity)),
        *map(names.changes, followed),
        *map(names.replies, entities),
        *map(names.dead_letters, entities),
        names.notifications,
        names.watermarks,
    ]
    kept = [
        *map(names.state, followed),
        names.cursors,
        names.journal,
        *map(names.commands, entities),
        names.inbox,
        names.control,
        names.accounts,
    ]
    return [
        Grant("topic", tuple(told), (WRITE,)),
        Grant("topic", tuple(kept), (READ, WRITE)),
        *_managing(names, manage),
        Grant("group", (instance, f"{instance}-positions"), (READ,)),
        Grant("transactional-id", (f"{instance}.",), (WRITE,), prefixed=True),
    ]


def _managing(names: TopicNames, manage: Manage) -> Iterable[Grant]:
    if manage == "off":
        return
    operations = (DESCRIBE_CONFIGS, CREATE) if manage == "create" else (DESCRIBE_CONFIGS,)
    yield Grant("topic", tuple(spec.name for spec in topic_specs(names)), operations)
    yield Grant("topic", (names.parked,), (DESCRIBE,))


def of_consumer(topics: Sequence[str], group: str) -> list[Grant]:
    """A consumer of events."""
    return [Grant("topic", tuple(topics), (READ,)), Grant("group", (group,), (READ,))]


def of_caller(names: TopicNames, entities: Sequence[str]) -> list[Grant]:
    """Whoever gives commands, and waits for the replies on the default topics without a consumer group."""
    return [
        Grant("topic", tuple(map(names.commands, entities)), (WRITE,)),
        Grant("topic", tuple(map(names.replies, entities)), (READ,)),
    ]


def of_operator(names: TopicNames) -> list[Grant]:
    """Whoever uses all of the command line: snapshots, sweeps, held deletes, watermarks, accounts, dead letters."""
    entities = [*CATALOGUE.entities]
    return [
        Grant("topic", (names.control, *map(names.commands, entities)), (WRITE,)),
        Grant("topic", (names.notifications, names.parked), (READ, WRITE)),
        Grant("topic", (names.watermarks, names.accounts, *map(names.dead_letters, entities)), (READ,)),
        Grant("topic", tuple(map(names.replies, entities)), (READ,)),
        Grant("transactional-id", (f"{names.prefix}.redrive",), (WRITE,)),
    ]


def as_commands(grants: Iterable[Grant], principal: str) -> str:
    """The grants as calls of Kafka's own tool, whose other arguments are in `$KAFKA`."""
    return "\n".join(_command(grant, principal) for grant in grants)


def _command(grant: Grant, principal: str) -> str:
    operations = " ".join(f"--operation {operation}" for operation in grant.operations)
    pattern = " --resource-pattern-type prefixed" if grant.prefixed else ""
    resources = [f"  --{grant.resource} {name}" for name in grant.names]
    return " \\\n".join([f"kafka-acls.sh $KAFKA --add --allow-principal {principal} {operations}{pattern}", *resources])
