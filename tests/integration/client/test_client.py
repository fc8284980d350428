"""Listening and calling against a real Kafka, with a stand-in that answers commands as the bridge would."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.client.calling import calling
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
            good = asked["data"]["name"] == "good"
            said = {"status": "succeeded" if good else "failed", "command": {"entity": "company"}, "asked": asked}
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
        common = ("-b", bootstrap_servers, "--prefix", prefix, "--account", "acme")
        good, bad = await asyncio.gather(
            cli("call", "company.create", "name=good", "city.x=1", *common),
            cli("call", "company.create", "name=bad", *common),
        )
    assert (good[0], bad[0]) == (0, 6)
    assert json.loads(good[1])["asked"] == {
        "action": "create",
        "account": "acme",
        "data": {"name": "good", "city": {"x": 1}},
    }
    assert (good[2], bad[2]) == ("", "")


async def test_a_call_that_nobody_answers_ends_in_time(bootstrap_servers: str, fresh: Callable[[str], str]) -> None:
    prefix = fresh("silence")
    async with topics(bootstrap_servers, f"{prefix}.company.commands", f"{prefix}.company.replies"):
        code, out, err = await cli(
            "call", "company.create", "name=x", "-b", bootstrap_servers, "--prefix", prefix, "--timeout", "200ms"
        )
    assert (code, out) == (7, "")
    assert err.startswith("no reply in time")


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
        listening = listen(bootstrap_servers, [f"{prefix}.*.changes"], earliest=False, ready=told.append)
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
