from collections.abc import Iterator

import pytest

from bridge.app.observing import Observing
from bridge.telemetry import logs
from bridge.telemetry.traces import Server, Tracing


@pytest.fixture
def observing(capsys: pytest.CaptureFixture[str]) -> Iterator[Observing]:
    """Fresh, telling everything as JSON."""
    logs.configure("debug", "json")
    yield Observing(Tracing(Server("copper.example", 443)))
    capsys.readouterr()
