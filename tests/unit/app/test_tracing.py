"""When traces are exported, and that nothing breaks when they cannot be."""

import asyncio
import sys
from collections.abc import Mapping

import pytest

from bridge.app.tracing import FLUSH_SECONDS, Exporting, asked
from bridge.contract.records import Incoming, Position
from bridge.sandbox.kafka.ports import free_ports
from bridge.settings import Settings
from bridge.telemetry import logs

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "true", **ENDPOINT}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
    ids=str,
)
def test_traces_are_exported_when_opentelemetrys_own_variables_ask_for_it(
    environ: Mapping[str, str], wanted: bool
) -> None:
    assert asked(environ) is wanted


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({"accounts": {"acme": {"user_email": "ops@acme.example", "api_key": "a-key"}}})


def _spans(exporting: Exporting) -> str | None:
    with exporting.tracing.processing(Incoming(Position("copper.lead.commands", 0, 1), None, None, (), 0)):
        return exporting.tracing.parent()


async def test_without_the_extra_it_is_said_and_everything_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)  # as Python marks what cannot be imported
    logs.configure("info", "json")
    exporting = Exporting(settings, ENDPOINT)
    assert _spans(exporting) is None
    await exporting.flush(1.0)
    assert "tracing.unavailable" in capsys.readouterr().err


async def test_a_collector_that_is_not_there_does_not_hold_up_a_stop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", "json")
    (nowhere,) = free_ports(1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{nowhere}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    exporting = Exporting(settings, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nowhere}"})
    assert _spans(exporting) is not None
    async with asyncio.timeout(FLUSH_SECONDS + 1):
        await exporting.flush(60.0)
    assert str(nowhere) not in capsys.readouterr().err
