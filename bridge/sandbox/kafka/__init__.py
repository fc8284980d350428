"""A real Apache Kafka for the demo, the tests and users' own CI.

`sandbox_kafka` takes what is there: an address, a Docker engine, or a local JVM. `local_kafka` is always the local JVM,
whose nodes can be killed, paused and started again. Knows nothing of Copper and of the bridge.
"""

from bridge.sandbox.kafka.choosing import GivenKafka, NoKafka, sandbox_kafka
from bridge.sandbox.kafka.container import ContainerKafka, EngineRefused
from bridge.sandbox.kafka.jars import JarsUnresolved
from bridge.sandbox.kafka.local import LocalKafka, local_kafka
from bridge.sandbox.kafka.node import KafkaDied

__all__ = [
    "ContainerKafka",
    "EngineRefused",
    "GivenKafka",
    "JarsUnresolved",
    "KafkaDied",
    "LocalKafka",
    "NoKafka",
    "local_kafka",
    "sandbox_kafka",
]
