"""The internal port: health, metrics, status."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry, Counter

from bridge.policy.health import Verdict
from bridge.web.internal import internal
from bridge.web.ports import listening
from tests.unit.web.nobody import NOBODY

GOOD = Verdict(good=True, told=("works on 2 shards",))
BAD = Verdict(good=False, told=("Kafka has not answered for 12 s", "shard 1 is not open: fencing"))


async def _get(
    path: str,
    *,
    alive: Verdict = GOOD,
    ready: Verdict = GOOD,
    status: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
) -> tuple[int, str, str]:
    registry = CollectorRegistry()
    Counter("some_events", "Some", ["entity"], registry=registry).labels("company").inc(3)
    shown, past = status or {}, history or {}
    app = internal(
        registry, alive=lambda: alive, ready=lambda: ready, status=lambda: shown, history=lambda: past, accounts=NOBODY
    )
    async with (
        listening(app, "127.0.0.1", 0) as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get(path) as answer,
    ):
        return answer.status, await answer.text(), answer.content_type


WELL = (200, "works on 2 shards\n", "text/plain")
ILL = (503, "Kafka has not answered for 12 s\nshard 1 is not open: fencing\n", "text/plain")


@pytest.mark.parametrize("probe", ["/livez", "/startupz"])
async def test_a_process_lives_and_starts_as_long_as_it_moves_ready_or_not(probe: str) -> None:
    assert await _get(probe, ready=BAD) == WELL
    assert await _get(probe, alive=BAD) == ILL


async def test_ready_is_what_the_bridge_says() -> None:
    assert await _get("/readyz", alive=BAD) == WELL
    assert await _get("/readyz", ready=BAD) == ILL


async def test_the_status_is_json() -> None:
    assert await _get("/api/status", status={"ready": True, "shards": [1]}) == (
        200,
        '{"ready":true,"shards":[1]}',
        "application/json",
    )


async def test_the_history_is_json() -> None:
    told = '{"commands":[]}'
    assert await _get("/api/history", history={"commands": []}) == (200, told, "application/json")


async def test_metrics_are_those_of_the_registry_alone() -> None:
    status, text, _ = await _get("/metrics")
    assert status == 200
    assert 'some_events_total{entity="company"} 3.0' in text
    assert "python_info" not in text


async def test_webhooks_are_not_taken_here() -> None:
    assert (await _get("/webhooks/copper/acme"))[0] == 404
