"""The public port under its own OpenAPI document: right, nearly right and wrong requests, against a real Kafka.

Schemathesis makes the requests; the real receiver answers them and writes to a real inbox.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode

from bridge.app.hooks import Hooks
from bridge.contract.topics import TopicNames, topic_specs
from bridge.copper.notifications import TOKEN_HEADER, digest
from bridge.kafka.connection import Connection
from bridge.kafka.inbox import Inbox
from bridge.kafka.topics import ensure
from bridge.settings import KafkaSettings
from bridge.web.ports import listening
from bridge.web.public import public

DOCUMENT = Path(__file__).parents[3] / "docs/reference/public-port.openapi.yaml"
SECRET = "the secret of this test"
TRIES = 150
"""Of each of the four ways; the nightly form has ten times as many."""

CHANCE = "ignore:Do not use the `random` module inside strategies"
"""Hypothesis sees the state of `random` move, and takes it for the strategies': it is the bridges' of other tests."""


@pytest.fixture
async def base_url(bootstrap_servers: str, fresh: Callable[[str], str]) -> AsyncGenerator[str]:
    """A public port with the receiver and inbox that the bridge has."""
    names, connection = (
        TopicNames(fresh("port")),
        Connection(KafkaSettings(bootstrap_servers=bootstrap_servers), "test"),
    )
    specs = [spec for spec in topic_specs(names) if spec.name == names.inbox]
    await ensure(connection, specs, partitions=2, replication_factor=1, create=True)
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(Inbox(connection))
        secrets = {"acme": (digest(SECRET),)}
        hooks = Hooks(
            lambda name: secrets.get(name, ()), names, 2, inbox, lambda _outcome: None, window=1800.0, clock=time.time
        )
        port = await stack.enter_async_context(listening(public(hooks.receive), "127.0.0.1", 0, most=200))
        yield f"http://127.0.0.1:{port}"


def _tried(base_url: str, mode: GenerationMode, token: str | None, tries: int) -> Counter[int]:
    """The statuses of so many requests; each of them is in the document."""
    operation = schemathesis.openapi.from_path(DOCUMENT)["/webhooks/copper/{account}"]["POST"]
    documented = {int(status) for status in operation.definition.raw["responses"]}
    statuses = Counter[int]()
    with requests.Session() as session:

        @seed(7)
        @settings(
            max_examples=tries,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            if token is not None:
                case.headers = {**(case.headers or {}), TOKEN_HEADER: token}
                case.path_parameters = {"account": "acme"}
            if isinstance(case.body, dict) and mode is GenerationMode.POSITIVE:
                case.body["timestamp"] = datetime.now(UTC).isoformat()  # or nearly all are stale
            answer = case.call(base_url=base_url, session=session)
            statuses[answer.status_code] += 1
            assert answer.status_code in documented, answer.status_code

        send()
    return statuses


async def _all_ways(base_url: str, tries: int) -> None:
    total = Counter[int]()
    for mode in GenerationMode:
        for token in (None, SECRET):
            statuses = await asyncio.to_thread(_tried, base_url, mode, token, tries)
            what = f"{mode.value}, {'right' if token else 'wrong'} token"
            print(f"{what}: {statuses.total()} requests, {dict(sorted(statuses.items()))}")
            total += statuses
            if token is None:
                assert statuses[200] == 0
            if token is not None and mode is GenerationMode.POSITIVE:
                assert statuses[200] > 0
    print(f"inputs tried: {total.total()}, 5xx: {sum(count for status, count in total.items() if status >= 500)}")
    assert max(total) < 500


@pytest.mark.figures
@pytest.mark.filterwarnings(CHANCE)
async def test_no_request_makes_the_public_port_fail(base_url: str) -> None:
    await _all_ways(base_url, TRIES)


@pytest.mark.figures
@pytest.mark.filterwarnings(CHANCE)
@pytest.mark.nightly
@pytest.mark.timeout(3600)
async def test_no_request_makes_the_public_port_fail_all_night(base_url: str) -> None:
    await _all_ways(base_url, 10 * TRIES)
