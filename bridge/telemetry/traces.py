"""Traces: one from a command's record over its calls to Copper to its reply, in OpenTelemetry's words.

Used by the composition root, which gives these methods to the parts. The API alone: without an SDK spans are no-ops,
and nothing is written anywhere. Names and attributes are of a bounded vocabulary: topics, routes as templates, states,
codes; nothing that came from Copper or from a message, and no error's text.

A trace is begun or joined by a command and by nothing else: a call that is made for no command leaves no span. What
arrives as trace context is used and never passed on: what is written names the span that it was written in.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.contract.records import Incoming

NAME = "copper-kafka-bridge"
_W3C = TraceContextTextMapPropagator()


class Server(NamedTuple):
    """Where calls go."""

    address: str
    port: int


class Tracing:
    """Spans of one bridge; without a provider those of whoever has set up OpenTelemetry in this process, or none."""

    def __init__(self, server: Server, version: str = "", provider: TracerProvider | None = None) -> None:
        self._server = server
        self._tracer = trace.get_tracer(NAME, version, tracer_provider=provider)

    @contextmanager
    def processing(self, record: Incoming) -> Iterator[None]:
        """The span of a command, child of what its headers name, while the block lasts."""
        topic = record.position.topic
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(record.position.partition),
            "messaging.kafka.offset": record.position.offset,
        }
        parent = _W3C.extract(record, context=Context(), getter=_FIRST)
        with self._tracer.start_as_current_span(
            f"{topic} process",
            parent,
            SpanKind.CONSUMER,
            attributes,
            record_exception=False,  # its text may say anything
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as problem:
                _fail(span, type(problem).__name__)
                raise

    def called(self, method: str, route: str, outcome: str, seconds: float) -> None:
        """A call to Copper has just ended: an HTTP status or the reason why there is none."""
        if not trace.get_current_span().is_recording():
            return
        now = time.time_ns()
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.template": route,
            "server.address": self._server.address,
            "server.port": self._server.port,
        }
        span = self._tracer.start_span(
            f"{method} {route}", None, SpanKind.CLIENT, attributes, start_time=now - int(seconds * 1e9)
        )
        if outcome.isdecimal():
            span.set_attribute("http.response.status_code", int(outcome))
        if not outcome.isdecimal() or int(outcome) >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            _fail(span, outcome)
        span.end(now)

    def note(self, what: str, **attributes: str | float) -> None:
        """Something worth an event on the command's span."""
        trace.get_current_span().add_event(what, attributes)

    def answered(self, action: str, status: str, code: str | None) -> None:
        """The command of this span got its reply."""
        span = trace.get_current_span()
        span.set_attributes({"copper_bridge.action": action, "copper_bridge.status": status})
        if code is not None:
            _fail(span, code)

    def parent(self) -> str | None:
        """W3C's `traceparent` for what is written now; None outside of a trace of ours."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid or context.is_remote:  # without an SDK the caller's span stands here: not ours to name
            return None
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier["traceparent"]


def ids() -> dict[str, str]:
    """What a log line says of the span that it is written in."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or context.is_remote:
        return {}
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


def _fail(span: Span, why: str) -> None:
    span.set_attribute("error.type", why)
    span.set_status(StatusCode.ERROR)


class _First(Getter[Incoming]):
    """The first header of a name, as every header of a command is read."""

    def get(self, carrier: Incoming, key: str) -> list[str] | None:
        found = carrier.header(key)
        return None if found is None else [found.decode(errors="replace")]

    def keys(self, carrier: Incoming) -> list[str]:
        return [name for name, _ in carrier.headers]


_FIRST = _First()
