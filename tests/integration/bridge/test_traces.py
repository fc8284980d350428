"""Traces of a whole bridge, as a collector gets them: one from a caller's command to its reply and its event."""

from pathlib import Path

import pytest

from bridge.contract.commands import encode
from bridge.sandbox.copper import Fault
from tests.integration.bridge.collector import Exported, collecting
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import Stage, stage

ACCOUNT = "acme"
CALLER = "00-{}-b7ad6b7169203331-01"
PLAIN, DOUBTED, NONSENSE = ("1" * 32, "2" * 32, "3" * 32)


async def _asked(play: Stage, trace_id: str, record_id: int, **data: str) -> Message:
    value, headers = encode(
        "update", account=ACCOUNT, record_id=record_id, data=data, traceparent=CALLER.format(trace_id),
        correlation=trace_id.encode(),
    )  # fmt: skip
    await play.send(play.names.commands("company"), value, headers, key=ACCOUNT.encode())
    return await play.reply("company", trace_id.encode())


async def _nonsense(play: Stage) -> tuple[Message, Message]:
    """Reply and dead letter of what can never be carried out."""
    headers = (("correlation-id", b"n"), ("traceparent", CALLER.format(NONSENSE).encode()))
    await play.send(play.names.commands("company"), b"{", headers, key=ACCOUNT.encode())
    reply = await play.reply("company", b"n")
    letter = await play.log.one(play.names.dead_letters("company"), lambda each: each.raw == b"{")
    return reply, letter


def _belongs(message: Message, process: Exported) -> bool:
    return message.text("traceparent") == f"00-{process.trace_id}-{process.span_id}-01"


async def test_one_trace_leads_from_a_command_over_its_calls_to_its_reply_and_its_event(
    bootstrap_servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting() as (collector, address):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")  # what arrives has been flushed by the stop
        async with stage(bootstrap_servers, tmp_path, [ACCOUNT]) as play:
            record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
            reply = await _asked(play, PLAIN, record_id, details="north")
            event = await play.log.one(
                play.names.event("company", "updated"),
                lambda each: each.text("ce_id") == reply.value["event_id"],
            )
            play.copper.fault(Fault("reset", when="after", method="PUT", path=f"/companies/{record_id}"))
            settled = await _asked(play, DOUBTED, record_id, details="south")
            refused, letter = await _nonsense(play)
            play.account(ACCOUNT).edit("company", record_id, {"details": "by hand"})
            await play.log.wait(
                play.names.event("company", "updated"), lambda each: each.value["after"]["details"] == "by hand"
            )
            untraced = play.log.of(play.names.event("company", "updated"), lambda each: each.text("ce_via") == "poll")
        await collector.until(lambda: len(collector.of(NONSENSE)) == 1)
    assert {span.service for span in collector.spans} == {"copper-kafka-bridge"}
    assert untraced
    assert not any("traceparent" in each.headers for each in untraced)

    call, process = sorted(collector.of(PLAIN), key=lambda span: span.parent_id == "b7ad6b7169203331")
    assert (process.name, process.parent_id) == (f"{play.names.commands('company')} process", "b7ad6b7169203331")
    assert (call.name, call.parent_id) == ("PUT /companies/{id}", process.span_id)
    assert _belongs(reply, process)
    assert _belongs(event, process)
    assert process.attributes["copper_bridge.status"] == "succeeded"

    *calls, process = sorted(collector.of(DOUBTED), key=lambda span: span.parent_id == "b7ad6b7169203331")
    assert [(each.name, each.attributes.get("error.type")) for each in calls] == [
        ("PUT /companies/{id}", "in-doubt"),
        ("GET /companies/{id}", None),
    ]
    assert [name for name, _ in process.events] == ["in doubt", "settled"]
    assert settled.value["status"] == "succeeded"
    assert _belongs(settled, process)

    (process,) = collector.of(NONSENSE)
    assert process.attributes["error.type"] == "malformed"
    assert _belongs(refused, process)
    assert letter.text("traceparent") == CALLER.format(NONSENSE), "a dead letter keeps its headers as they were"
