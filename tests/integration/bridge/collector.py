"""A collector of traces: takes what an OTLP exporter sends over HTTP, and keeps it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.web.ports import listening


@dataclass(frozen=True)
class Exported:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...]
    service: str


@dataclass
class Collector:
    """Everything that arrived. `raw` is the requests' bodies."""

    raw: list[bytes] = field(default_factory=list)
    spans: list[Exported] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = _plain(resource.resource.attributes)
            self.spans += [_exported(span, about) for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def until(self, fact: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until it has arrived."""
        async with asyncio.timeout(seconds):
            while not fact():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    def of(self, trace_id: str) -> list[Exported]:
        return [span for span in self.spans if span.trace_id == trace_id]


@asynccontextmanager
async def collecting() -> AsyncGenerator[tuple[Collector, str]]:
    """A collector and its address."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with listening(app, "127.0.0.1", 0) as port:
        yield collector, f"http://127.0.0.1:{port}"


def _exported(span: Any, about: dict[str, Any]) -> Exported:
    return Exported(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_plain(span.attributes),
        events=tuple((event.name, _plain(event.attributes)) for event in span.events),
        service=about["service.name"],
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
