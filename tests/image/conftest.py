"""What stands beside the bridge: a network with a real Kafka and the Copper double, both in containers."""

import os
from collections.abc import Iterator

import pytest

from tests.image.engine import DOCKER, IMAGE, LOCKED_IN, engine, get
from tests.kafka_image import IMAGE as KAFKA_IMAGE
from tests.kafka_image import kafka_environment
from tests.programs import attempt, until


@pytest.fixture(scope="session")
def beside() -> Iterator[str]:
    """The name of the network, which containers' names begin with; `kafka:9092` and `copper:4010` are on it."""
    name = f"copper-bridge-test-{os.getpid()}"
    engine("network", "create", name)
    try:
        double = ("sandbox", "copper", "--host", "0.0.0.0", "--no-people")  # noqa: S104 - inside the network
        start(name, "copper", *LOCKED_IN, IMAGE, *double)
        variables = [f"--env={key}={value}" for key, value in kafka_environment("kafka:9092").items()]
        start(name, "kafka", *variables, KAFKA_IMAGE)
        until(lambda: get(f"{name}-copper", "http://127.0.0.1:4010/_control"), "the Copper double answers")
        yield name
    finally:
        for each in ("bridge", "copper", "kafka"):
            remove(f"{name}-{each}")
        engine("network", "rm", name)
        engine("volume", "rm", "--force", name)


def start(network: str, name: str, *arguments: str) -> str:
    """Start a container that the others on the network know by that name."""
    where = (f"--network={network}", f"--network-alias={name}", f"--name={network}-{name}")
    return engine("run", "--detach", *where, *arguments)


def remove(container: str) -> None:
    """Remove it, running or not, there or not."""
    attempt(*DOCKER, "rm", "--force", "--volumes", container)
