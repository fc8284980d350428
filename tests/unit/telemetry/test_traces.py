"""Spans: what belongs together, what they say and what they never say, and that they cost nothing when nobody asks."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from bridge.contract.records import Headers, Incoming, Position
from bridge.telemetry import logs
from bridge.telemetry.traces import Server, Tracing, ids

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = CALLER[:-1] + "0"
SERVER = Server("api.copper.example", 443)
COMMANDS = 2_000


def _record(headers: Headers = ()) -> Incoming:
    return Incoming(Position("copper.company.commands", 3, 41), b"acme", b"{}", headers, 0)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Tracing(SERVER, "1.0", provider)
    provider.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Callable[[], list[ReadableSpan]]:
    return lambda: list(exporter.get_finished_spans())


def test_a_call_is_a_child_of_its_command_and_that_of_its_caller(
    tracing: Tracing, spans: Callable[[], list[ReadableSpan]]
) -> None:
    with tracing.processing(_record((("traceparent", CALLER.encode()), ("tracestate", b"vendor=7")))):
        tracing.called("PUT", "/companies/{id}", "200", 0.25)
        parent = tracing.parent()
        tracing.answered("company.update", "succeeded", None)
    call, process = spans()
    assert (process.name, process.kind) == ("copper.company.commands process", SpanKind.CONSUMER)
    assert (call.name, call.kind) == ("PUT /companies/{id}", SpanKind.CLIENT)
    assert process.parent is not None
    assert f"{process.parent.trace_id:032x}-{process.parent.span_id:016x}" == CALLER[3:-3]
    assert process.context is not None
    assert process.context.trace_state.get("vendor") == "7"
    assert call.parent == process.context
    assert parent == f"00-{process.context.trace_id:032x}-{process.context.span_id:016x}-01"
    assert dict(process.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "copper.company.commands",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 41,
        "copper_bridge.action": "company.update",
        "copper_bridge.status": "succeeded",
    }
    assert dict(call.attributes or {}) == {
        "http.request.method": "PUT",
        "url.template": "/companies/{id}",
        "server.address": "api.copper.example",
        "server.port": 443,
        "http.response.status_code": 200,
    }
    assert ((call.end_time or 0) - (call.start_time or 0)) / 1e9 == pytest.approx(0.25)


@pytest.mark.parametrize(("outcome", "failed"), [("204", False), ("422", True), ("503", True), ("in-doubt", True)])
def test_a_call_fails_by_its_status_or_for_want_of_one(
    tracing: Tracing, spans: Callable[[], list[ReadableSpan]], outcome: str, failed: bool
) -> None:
    with tracing.processing(_record()):
        tracing.called("POST", "/leads", outcome, 0.1)
    call, _ = spans()
    assert (call.status.status_code is StatusCode.ERROR) is failed
    assert (call.attributes or {}).get("error.type") == (outcome if failed else None)


@pytest.mark.parametrize(
    "headers",
    [(), (("traceparent", b"\xff\x00"),), (("traceparent", b"00-1-1-01"),), (("traceparent", CALLER[:-1].encode()),)],
    ids=["none", "bytes", "too short", "cut"],
)
def test_a_command_without_a_readable_caller_begins_a_trace(
    tracing: Tracing, spans: Callable[[], list[ReadableSpan]], headers: Headers
) -> None:
    with tracing.processing(_record(headers)):
        assert tracing.parent() is not None
    (process,) = spans()
    assert process.parent is None


def test_of_two_trace_headers_the_first_counts_and_none_is_passed_on(tracing: Tracing) -> None:
    other = CALLER.replace("0af765", "1bf765")
    with tracing.processing(_record((("traceparent", CALLER.encode()), ("traceparent", other.encode())))):
        parent = tracing.parent()
    assert parent is not None
    assert (parent[:36], parent == CALLER) == (CALLER[:36], False)


def test_what_a_caller_does_not_sample_is_not_sampled_here_and_stays_one_trace(
    tracing: Tracing, spans: Callable[[], list[ReadableSpan]]
) -> None:
    with tracing.processing(_record((("traceparent", UNSAMPLED.encode()),))):
        tracing.called("PUT", "/companies/{id}", "200", 0.25)
        parent = tracing.parent() or ""
    assert (parent[:36], parent[-2:], spans()) == (CALLER[:36], "00", [])


def test_a_call_for_no_command_leaves_no_span(tracing: Tracing, spans: Callable[[], list[ReadableSpan]]) -> None:
    tracing.called("POST", "/companies/search", "200", 0.25)
    tracing.note("in doubt", why="nobody asked")
    assert (spans(), tracing.parent(), ids()) == ([], None, {})


def test_an_error_is_told_by_its_class_alone(tracing: Tracing, spans: Callable[[], list[ReadableSpan]]) -> None:
    with pytest.raises(LookupError), tracing.processing(_record()):
        raise LookupError("ops@acme.example")
    (process,) = spans()
    assert (process.attributes or {})["error.type"] == "LookupError"
    assert "ops@" not in process.to_json()


def test_doubts_are_events_of_the_commands_span(tracing: Tracing, spans: Callable[[], list[ReadableSpan]]) -> None:
    with tracing.processing(_record()):
        tracing.note("in doubt", why="in-doubt")
        tracing.note("settled", status="succeeded")
    (process,) = spans()
    assert [(event.name, dict(event.attributes or {})) for event in process.events] == [
        ("in doubt", {"why": "in-doubt"}),
        ("settled", {"status": "succeeded"}),
    ]


async def test_commands_side_by_side_keep_their_traces_apart(
    tracing: Tracing, spans: Callable[[], list[ReadableSpan]]
) -> None:
    async def work(number: int) -> None:
        with tracing.processing(_record()):
            await asyncio.sleep(0.01)
            tracing.called("PUT", f"/{number}", "200", 0.0)

    await asyncio.gather(*map(work, range(5)))
    assert len({span.context.trace_id for span in spans() if span.context}) == 5
    assert sum(span.parent is not None for span in spans()) == 5


def test_a_line_that_is_logged_within_a_span_names_it(tracing: Tracing, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    with tracing.processing(_record()):
        logs.info(logs.Event.READY)
        parent = tracing.parent() or ""
    logs.info(logs.Event.READY)
    inside, outside = capsys.readouterr().err.splitlines()
    _, trace_id, span_id, _ = parent.split("-")
    assert f'"trace_id": "{trace_id}", "span_id": "{span_id}"' in inside
    assert "trace_id" not in outside


def test_without_an_sdk_nothing_is_written_whatever_a_caller_sends(capsys: pytest.CaptureFixture[str]) -> None:
    tracing = Tracing(SERVER)
    with tracing.processing(_record((("traceparent", CALLER.encode()),))):
        tracing.called("PUT", "/companies/{id}", "200", 0.25)
        tracing.note("in doubt", why="in-doubt")
        tracing.answered("company.update", "succeeded", None)
        assert (tracing.parent(), ids()) == (None, {})
    assert capsys.readouterr() == ("", "")


@pytest.mark.figures
def test_spans_that_nobody_asked_for_cost_microseconds(tracing: Tracing) -> None:
    def cost(each: Tracing) -> float:
        record, began = _record((("traceparent", CALLER.encode()),)), time.perf_counter()
        for _ in range(COMMANDS):
            with each.processing(record):
                each.called("PUT", "/companies/{id}", "200", 0.25)
                each.answered("company.update", "succeeded", None)
                each.parent()
        return (time.perf_counter() - began) / COMMANDS * 1e6

    off, on = cost(Tracing(SERVER)), cost(tracing)
    print(f"\ntraces of a command with one call: {off:.0f} µs without an SDK, {on:.0f} µs with one")
    assert off < 1000
