"""The settings of a one-node Kafka in a container whose clients are beside it, in the variables of Kafka's image."""

from bridge.sandbox.kafka.properties import CLUSTER_ID, VERSION, environment, server_properties

IMAGE = f"docker.io/apache/kafka:{VERSION}"


def kafka_environment(advertised: str) -> dict[str, str]:
    """`advertised` is what clients call it, `host:9092`. The broker's own transactions take a listener of their own."""
    listeners = {
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,INTERNAL://:19092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{advertised},INTERNAL://localhost:19092",
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "/tmp/kafka-logs",  # noqa: S108 - inside the container
    }
    settings = environment(listeners | server_properties(1, {}))
    return {"CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": "-Xmx512m", **settings}
