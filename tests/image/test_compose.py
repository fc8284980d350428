"""The compose file: one command for a Kafka, a Copper double with people, the bridge, and its events on screen."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.engine import DOCKER
from tests.programs import attempt, run, until

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

FILE = Path(__file__).parents[2] / "deploy/compose.yaml"
COMPOSE = [*(shlex.split(os.environ.get("COMPOSE", "")) or [*DOCKER, "compose"]), "--file", str(FILE)]


@pytest.fixture
def up() -> Iterator[None]:
    """All of it at work, from the image that is there."""
    run(*COMPOSE, "up", "--detach", "--no-build")
    try:
        yield
    finally:
        run(*COMPOSE, "down", "--volumes")


@pytest.mark.usefixtures("up")
def test_what_people_do_in_the_double_comes_by_as_events() -> None:
    """Those of webhooks too: they take all of the bridge, and its place beside the double."""

    def told() -> bool | None:
        log = attempt(*COMPOSE, "logs", "events").stdout
        return all(word in log for word in ("created", "snapshot", "webhook")) or None

    until(told, "events come by")
