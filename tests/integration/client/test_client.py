"""Listening and calling against a real Kafka, with a stand-in that answers commands as the bridge would."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.client import NotUnderstood
from bridge.client.calling import calling
from bridge.client.commands import Copper, Manner
from bridge.client.connecting import KafkaTrouble
from bridge.client.listening import listen
from bridge.contract.topics import TopicNames

PATIENCE_S = 30


@asynccontextmanager
async def topics(servers: str, *names: str) -> AsyncGenerator[None]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 2, 1) for name in names])
        yield
    finally:
        await admin.close()


@asynccontextmanager
async def writer(servers: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def answering(servers: str, prefix: str) -> AsyncGenerator[None]:
    """Answers every command on `<prefix>.company.commands`, first with a reply to somebody else."""
    consumer = AIOKafkaConsumer(f"{prefix}.company.commands", bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()

    async def answer(producer: AIOKafkaProducer) -> None:
        async for record in consumer:
            asked = json.loads(record.value)
            said = {"status": asked["data"]["name"], "asked": asked, "key": record.key.decode()}
            said["headers"] = {name: raw.decode(errors="replace") for name, raw in record.headers}
            mine = [header for header in record.headers if header[0] == "correlation-id"]
            for headers in ([("correlation-id", b"another")], mine):
                await producer.send_and_wait(f"{prefix}.company.replies", json.dumps(said).encode(), headers=headers)

    async with writer(servers) as producer:
        task = asyncio.create_task(answer(producer))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await consumer.stop()


async def cli(*arguments: str) -> tuple[int, str, str]:
    run = asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process = await run
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_call_gets_its_own_reply_and_the_exit_code_says_how_it_went(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    prefix = fresh("call")
    names = f"{prefix}.company.commands", f"{prefix}.company.replies"
    async with topics(bootstrap_servers, *names), answering(bootstrap_servers, prefix):
        common = ("-b", bootstrap_servers, "--prefix", prefix)
        good, *others = await asyncio.gather(
            cli("call", "company.create", "name=succeeded", "city.x=1", *common, "--account", "acme"),
            cli("call", "company.update", "id=7", "name=failed", "expect.name=x", "--lane", "bulk", "--json", *common),
            cli("call", "company.create", "name=expired", "--deadline", "2s", *common),
            cli("call", "company.create", "name=unknown", "--deadline", "none", "--id", "mine", *common),
        )
    assert (good[0], [code for code, _, _ in others]) == (0, [6, 10, 9])
    assert [err for _, _, err in (good, *others)] == [""] * 4
    said = json.loads(good[1])
    assert said["asked"] == {"action": "create", "account": "acme", "data": {"name": "succeeded", "city": {"x": 1}}}
    assert (said["key"], "deadline" in said["headers"], "lane" in said["headers"]) == ("acme", True, False)
    failed, expired, unknown = (json.loads(out) for _, out, _ in others)
    assert others[0][1].count("\n") == 1
    assert (failed["key"], failed["headers"]["lane"]) == (prefix, "bulk")
    assert failed["asked"] == {"action": "update", "id": 7, "data": {"name": "failed"}, "expect": {"name": "x"}}
    left = datetime.fromisoformat(expired["headers"]["deadline"]) - datetime.now(UTC)
    assert left.total_seconds() < 2
    assert (unknown["headers"]["idempotency-key"], "deadline" in unknown["headers"]) == ("mine", False)


async def test_a_call_that_nobody_answers_ends_in_time(bootstrap_servers: str, fresh: Callable[[str], str]) -> None:
    prefix = fresh("silence")
    async with topics(bootstrap_servers, f"{prefix}.company.commands", f"{prefix}.company.replies"):
        code, out, err = await cli(
            "call", "company.create", "name=x", "-b", bootstrap_servers, "--prefix", prefix, "--timeout", "200ms"
        )
    assert (code, out) == (7, "")
    assert err.startswith(
        "no reply in time: if it has not been begun by now, it never will be; to ask again with --id "
    )


async def test_a_reply_that_a_client_cannot_read_is_said_to_be_that(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    prefix = fresh("later")
    names = f"{prefix}.company.commands", f"{prefix}.company.replies"
    async with (
        topics(bootstrap_servers, *names),
        answering(bootstrap_servers, prefix),
        calling(bootstrap_servers, TopicNames(prefix), ["company"]) as caller,
    ):
        with pytest.raises(NotUnderstood, match="is the bridge of a later version"):
            await Copper(caller, Manner()).company.create(name="postponed")


async def test_a_call_without_topics_says_which_is_missing(bootstrap_servers: str) -> None:
    with pytest.raises(KafkaTrouble, match=r"no topic nobody\.task\.commands and no nobody\.task\.replies"):
        async with calling(bootstrap_servers, TopicNames("nobody"), ["task"]):
            pass


async def test_listening_from_now_sees_what_matches_and_topics_that_are_made_later(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    prefix = fresh("listen")
    one, other, later = f"{prefix}.lead.changes", f"{prefix}.lead.other", f"{prefix}.task.changes"
    told: list[Sequence[str]] = []
    async with topics(bootstrap_servers, one, other), writer(bootstrap_servers) as producer:
        await producer.send_and_wait(one, b"before")
        listening = listen(bootstrap_servers, [f"{prefix}.*.changes"], since=None, ready=told.append)
        async with asyncio.timeout(PATIENCE_S), aclosing(listening) as records:
            first = asyncio.create_task(anext(records))
            while not told:  # noqa: ASYNC110 - a callback tells it
                await asyncio.sleep(0.01)
            await producer.send_and_wait(other, b"elsewhere")
            await producer.send_and_wait(one, b"now")
            assert (await first).value == b"now"
            async with topics(bootstrap_servers, later):
                await producer.send_and_wait(later, b"new topic")
            await producer.send_and_wait(one, b"and on")
            assert {(await anext(records)).value, (await anext(records)).value} == {b"new topic", b"and on"}
    assert told == [[one]]


async def test_listening_from_an_age_begins_with_the_first_record_that_is_younger(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    topic = fresh("aged")
    async with topics(bootstrap_servers, topic), writer(bootstrap_servers) as producer:
        for hours in (3, 1):
            stamp = round((datetime.now(UTC).timestamp() - hours * 3600) * 1000)
            for partition in (0, 1):
                await producer.send_and_wait(topic, b"%d" % hours, timestamp_ms=stamp, partition=partition)
    code, out, _ = await cli("listen", topic, "--from", "2h", "-n", "2", "--json", "-b", bootstrap_servers)
    assert (code, [json.loads(line)["value"] for line in out.splitlines()]) == (0, [1, 1])


async def test_listening_from_the_beginning_leaves_out_what_was_aborted(
    bootstrap_servers: str, fresh: Callable[[str], str]
) -> None:
    topic = fresh("aborted")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=fresh("writer"))
    await producer.start()
    try:
        async with topics(bootstrap_servers, topic):
            for value, good in ((b"0", True), (b"never", False), (b"1", True)):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, value, partition=0)
                await (producer.commit_transaction() if good else producer.abort_transaction())
    finally:
        await producer.stop()
    code, out, err = await cli("listen", topic, "--from", "earliest", "-n", "2", "--json", "-b", bootstrap_servers)
    assert (code, [json.loads(line)["value"] for line in out.splitlines()]) == (0, [0, 1])
    assert err == f"listening to {topic}: 1 topics\n"
