"""How the topics of a cluster differ from those a bridge needs, and what may be done about it.

Called by `bridge.kafka.topics` with what the cluster has, at every start and for `topics plan` and `apply`. Pure. What
an operator made stricter than needed, such as a longer retention, is no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bridge.contract.topics import TopicSpec

SAFE_REPLICAS = 3
"""From so many replicas on, two must have a record before it counts as written: the loss of a broker loses nothing."""
IN_SYNC = "min.insync.replicas"
APPLY = "copper-bridge topics apply"

_AT_LEAST = ("retention.ms", "delete.retention.ms", "min.compaction.lag.ms", "max.message.bytes")
_AT_MOST = ("segment.bytes", "segment.ms")
_FOR_EVER = -1


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the cluster has it. `own` is what of `config` is set on the topic itself."""

    partitions: int
    config: Mapping[str, str]
    replicas: int = SAFE_REPLICAS
    """Of the partition that has the fewest."""
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """A topic to make."""

    topic: str
    partitions: int
    replicas: int
    config: Mapping[str, str]
    vital: bool = True
    """Whether the bridge does not start with it."""

    @property
    def what(self) -> str:
        """What is wrong."""
        return "missing, or hidden from this user"

    @property
    def fix(self) -> str:
        """The way out."""
        by_hand = f"create it with {self.partitions} partitions"
        return f"{APPLY}, or set topics.manage to create, or {by_hand}, or allow Describe on it"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting to alter. `own` is what the topic has of its own, to be kept."""

    topic: str
    key: str
    found: str
    wanted: str
    vital: bool
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What is wrong."""
        bound = "at least " if self.key in _AT_LEAST else "at most " if self.key in _AT_MOST else ""
        return f"{self.key} is {self.found}, must be {bound}{self.wanted}"

    @property
    def fix(self) -> str:
        """The way out."""
        return f"{APPLY}, or alter it with kafka-configs"


@dataclass(frozen=True, slots=True)
class Unfit:
    """What nobody should alter by the way."""

    topic: str
    what: str
    fix: str
    vital: bool


Difference = Missing | Setting | Unfit


def line(difference: Difference) -> str:
    """A difference in one line."""
    return f"{difference.topic}: {difference.what}; {difference.fix}"


def differences(
    specs: Iterable[TopicSpec], there: Mapping[str, Found], *, partitions: int, replicas: int
) -> Iterator[Difference]:
    """Everything that differs, topic by topic."""
    for spec in specs:
        found = there.get(spec.name)
        if found is None:
            yield Missing(spec.name, partitions, replicas, wanted(spec, replicas))
        else:
            yield from _unfit(spec.name, found, partitions, replicas)
            yield from _settings(spec, found)


def wanted(spec: TopicSpec, replicas: int) -> dict[str, str]:
    """The settings of a topic with so many replicas."""
    return spec.config | ({IN_SYNC: "2"} if replicas >= SAFE_REPLICAS else {})


def _unfit(topic: str, found: Found, partitions: int, replicas: int) -> Iterator[Unfit]:
    if found.partitions != partitions:
        fix = (
            f"set topics.partitions to {found.partitions}, or use another topics.prefix: the number is chosen once, it "
            "decides which shard an account is in"
        )
        what = f"has {found.partitions} partitions, topics.partitions says {partitions}"
        yield Unfit(topic, what, fix, vital=True)
    if found.replicas < replicas:
        fix = f"set topics.replication_factor to {found.replicas}, or move it with kafka-reassign-partitions"
        what = f"has {found.replicas} replicas, topics.replication_factor says {replicas}"
        yield Unfit(topic, what, fix, vital=False)


def _settings(spec: TopicSpec, found: Found) -> Iterator[Setting]:
    for key, value in ({IN_SYNC: "1"} | wanted(spec, found.replicas)).items():
        has = found.config.get(key, value)
        if not _fits(key, has, value, found.replicas):
            yield Setting(spec.name, key, has, value, vital=_is_vital(key, has, value), own=found.own)


def _fits(key: str, found: str, value: str, replicas: int) -> bool:
    if key in _AT_LEAST:
        return int(found) >= int(value) or int(found) == _FOR_EVER
    if key in _AT_MOST:
        return int(found) <= int(value)
    if key == IN_SYNC:
        return int(value) <= int(found) <= replicas
    return _policies(found) == _policies(value)


def _is_vital(key: str, found: str, value: str) -> bool:
    """Nothing works with the wrong clean-up, records that do not fit in, more replicas asked for than there are."""
    return key in ("cleanup.policy", "max.message.bytes") or (key == IN_SYNC and int(found) > int(value))


def _policies(text: str) -> frozenset[str]:
    return frozenset(text.replace(" ", "").split(","))
