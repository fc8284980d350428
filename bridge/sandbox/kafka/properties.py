"""`server.properties` of the sandbox's brokers, as plain mappings.

Called by the local and the container way; runs nothing.
"""

from collections.abc import Mapping

VERSION = "4.4.0"
CLUSTER_ID = (
    "c2FuZGJveC1jb3BwZXItYg"  # 16 bytes in base64url, as Kafka wants them; the data is thrown away, so one will do
)


def server_properties(nodes: int, extra: Mapping[str, str]) -> dict[str, str]:
    """What every node has, sized for `nodes` brokers on one small machine; `extra` wins."""
    copies, in_sync = str(min(nodes, 3)), str(min(nodes, 2))
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": "16777216",  # the default takes a quarter of the small heap
        **extra,
    }


def environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The same for the container image, whose names are KAFKA_ with `.` as `_`, `_` as `__` and `-` as `___`."""
    return {_variable(name): value for name, value in properties.items()}


def _variable(name: str) -> str:
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def as_text(properties: Mapping[str, str]) -> str:
    """The content of a `server.properties` file."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())
