"""Metrics that are there before anything has happened."""

import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.failures import Code
from bridge.contract.replies import Status
from bridge.telemetry.metrics import PREFIX, Metrics


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("events_published_total", {"entity": "lead", "change": "created", "via": "webhook"}),
        ("scans_total", {"entity": "company", "outcome": "ok"}),
        ("event_delay_seconds_count", {"entity": "task"}),
        ("budget_wait_seconds_count", {"lane": "bulk"}),
        ("webhooks_received_total", {"outcome": "unauthorized"}),
        ("kafka_commits_total", {"outcome": "in-doubt"}),
        ("shard_sessions_ended_total", {"how": "fenced"}),
        ("sweeps_total", {"outcome": "held"}),
    ],
)
def test_what_may_be_counted_is_zero_from_the_start(name: str, labels: dict[str, str]) -> None:
    assert Metrics().registry.get_sample_value(f"{PREFIX}_{name}", labels) == 0


def test_every_command_and_every_reason_has_its_zero() -> None:
    registry = Metrics().registry
    for row in CATALOGUE.actions:
        for status in Status:
            labels = {"entity": row.entity, "action": row.name, "status": status}
            assert registry.get_sample_value(f"{PREFIX}_commands_completed_total", labels) == 0
    for code in Code:
        assert registry.get_sample_value(f"{PREFIX}_dead_letters_total", {"reason": code}) == 0
