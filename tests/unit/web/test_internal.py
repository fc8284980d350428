"""The internal port: health, metrics, status."""

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession
from prometheus_client import CollectorRegistry, Counter

from bridge.web.internal import internal
from bridge.web.ports import listening


async def _get(
    path: str, *, ready: bool = True, status: Mapping[str, Any] | None = None, history: Mapping[str, Any] | None = None
) -> tuple[int, str, str]:
    registry = CollectorRegistry()
    Counter("some_events", "Some", ["entity"], registry=registry).labels("company").inc(3)
    app = internal(registry, ready=lambda: ready, status=lambda: status or {}, history=lambda: history or {})
    async with (
        listening(app, "127.0.0.1", 0) as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get(path) as answer,
    ):
        return answer.status, await answer.text(), answer.content_type


async def test_a_process_lives_while_its_loop_turns_ready_or_not() -> None:
    assert await _get("/livez", ready=False) == (200, "ok\n", "text/plain")


async def test_ready_is_what_the_bridge_says() -> None:
    assert await _get("/readyz") == (200, "ready\n", "text/plain")
    assert await _get("/readyz", ready=False) == (503, "not ready\n", "text/plain")


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
