"""The facts of health, as the parts tell them."""

from dataclasses import dataclass

import pytest

from bridge.app.health import Health
from bridge.policy.health import PATIENCE_SECONDS, SILENT_SECONDS


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Membership:
    owned: frozenset[int] = frozenset({1})
    joined: bool = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def test_before_kafka_has_answered_the_process_lives_and_is_not_ready(health: Health, clock: Clock) -> None:
    clock.now += 10 * PATIENCE_SECONDS
    assert health.alive().good
    assert health.ready().told == ("Kafka has not answered yet",)


def test_a_part_that_is_gone_is_waited_for_no_more(health: Health, clock: Clock) -> None:
    health.moved("shard 1", "at work")
    clock.now += PATIENCE_SECONDS + 1
    assert not health.alive().good
    health.gone("shard 1")
    assert health.alive().good


def test_kafka_is_in_reach_for_a_while_after_its_last_answer(health: Health, clock: Clock) -> None:
    opened = {1}
    health.serve(Membership(), opened)
    assert not health.reached
    health.asked(answered=True)
    assert (health.reached, health.ready().good) == (True, True)
    clock.now += SILENT_SECONDS + 1
    health.asked(answered=False)
    assert (health.reached, health.ready().good) == (False, False)
    health.asked(answered=True)
    opened.clear()
    assert health.ready().told == ("shard 1 is not open: not begun",)


def test_silence_of_kafka_excuses_every_part(health: Health, clock: Clock) -> None:
    health.moved("shard 1", "fencing")
    clock.now += 10 * PATIENCE_SECONDS
    health.asked(answered=False)
    assert health.alive().good
    clock.now += PATIENCE_SECONDS + 1
    assert not health.alive().good
