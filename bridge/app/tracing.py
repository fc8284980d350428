"""Setting up traces: an exporter when the environment asks for one and the extra `tracing` is installed.

The one place that knows OpenTelemetry's SDK, which reads its own `OTEL_*` variables. Called by `app.running`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from yarl import URL

import bridge
from bridge.settings import Settings
from bridge.telemetry import logs
from bridge.telemetry.traces import NAME, Server, Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_SECONDS = 3.0
"""What a collector that does not answer may take of the grace period."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Exporting:
    """The process' traces, and the way to get rid of the last of them."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._provider = _provider(settings, environ) if asked(environ) else None
        self.tracing = Tracing(_server(settings), bridge.__version__, self._provider)

    async def flush(self, seconds: float) -> None:
        """Export what is left and end, within so many seconds and `FLUSH_SECONDS`."""
        if self._provider is None:
            return
        loop, done, end = asyncio.get_running_loop(), asyncio.Event(), self._provider.shutdown

        def ending() -> None:
            end()
            with contextlib.suppress(RuntimeError):  # it took too long: the loop is closed
                loop.call_soon_threadsafe(done.set)

        # A daemon, for nobody can cancel it and an executor would be waited for when the process ends
        threading.Thread(target=ending, name="flush traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, FLUSH_SECONDS)):
                await done.wait()


def asked(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces, by OpenTelemetry's own variables."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    return "otlp" in exporters.split(",") if exporters else any(environ.get(name) for name in ENDPOINTS)


def _provider(settings: Settings, environ: Mapping[str, str]) -> "TracerProvider | None":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
    except ImportError:
        logs.warning(logs.Event.TRACING_UNAVAILABLE, extra="tracing")
        return None
    about = {"service.version": bridge.__version__, "service.instance.id": settings.kafka.member_id or ""}
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        about["service.name"] = NAME
    resource = Resource.create({name: value for name, value in about.items() if value})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _server(settings: Settings) -> Server:
    url = URL(settings.copper.base_url)
    return Server(url.host or "", url.port or 0)
