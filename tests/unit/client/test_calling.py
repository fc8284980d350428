"""Replies find who asked, and nobody waits for one that cannot come. On a virtual clock, without a Kafka."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import MessageSizeTooLargeError, TopicAuthorizationFailedError

from bridge.client.calling import Caller
from bridge.client.connecting import KafkaTrouble
from bridge.contract.signing import SigningKey
from bridge.contract.topics import TopicNames


class Log:
    """What was said, and what is heard: `answer` puts it there."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, dict[str, bytes]]] = []
        self.heard: asyncio.Queue[ConsumerRecord | Exception] = asyncio.Queue()

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        if len(value) > 1_000_000:
            raise MessageSizeTooLargeError
        self.said.append((topic, key, dict(headers)))

    def answer(self, value: bytes, correlation: bytes | None) -> None:
        headers = () if correlation is None else (("correlation-id", correlation),)
        self.heard.put_nowait(ConsumerRecord("replies", 0, 7, 0, 0, None, value, None, 0, len(value), headers))

    async def __aiter__(self) -> AsyncGenerator[ConsumerRecord]:
        while True:
            each = await self.heard.get()
            if isinstance(each, Exception):
                raise each
            yield each


class Stand:
    def __init__(self) -> None:
        self.log = Log()
        self.caller = Caller("kafka:9092", TopicNames(), self.log)

    def ask(self, **members: Any) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.caller.ask("company", "get", within_s=30, **members))

    async def correlations(self) -> list[bytes]:
        await asyncio.sleep(0)
        return [headers["correlation-id"] for _, _, headers in self.log.said]


@pytest.fixture
async def stand() -> AsyncGenerator[Stand]:
    stand = Stand()
    hearing = asyncio.create_task(stand.caller.hear(stand.log))
    yield stand
    hearing.cancel()
    await asyncio.wait([hearing])


async def test_each_caller_gets_its_own_reply_in_whatever_order_they_come(stand: Stand) -> None:
    asking = [stand.ask(record_id=number) for number in range(3)]
    correlations = await stand.correlations()
    assert len(set(correlations)) == 3
    for number in (2, 0, 1):
        stand.log.answer(b"to somebody else", b"another")
        stand.log.answer(b"to nobody", None)
        stand.log.answer(b"%d" % number, correlations[number])
        stand.log.answer(b"twice", correlations[number])
    assert [(await each).value for each in asking] == [b"0", b"1", b"2"]


async def test_who_got_no_reply_in_time_or_was_cancelled_is_waited_for_no_more(stand: Stand) -> None:
    late, gone = stand.ask(), stand.ask()
    correlations = await stand.correlations()
    gone.cancel()
    await asyncio.wait([gone])
    assert await late is None
    for each in correlations:
        stand.log.answer(b"too late", each)
    after = stand.ask()
    stand.log.answer(b"in time", (await stand.correlations())[-1])
    assert (await after).value == b"in time"
    assert not vars(stand.caller)["_waiting"]


async def test_when_kafka_refuses_the_replies_all_who_wait_are_told_and_all_who_come(stand: Stand) -> None:
    asking = [stand.ask(), stand.ask()]
    await stand.correlations()
    stand.log.heard.put_nowait(TopicAuthorizationFailedError())
    for each in asking:
        with pytest.raises(KafkaTrouble, match="kafka:9092 cannot be used: Kafka does not let this user use topic"):
            await each
    with pytest.raises(KafkaTrouble, match="does not let this user"):
        await stand.ask()
    assert len(stand.log.said) == 2


async def test_a_command_that_is_too_large_is_not_waited_for(stand: Stand) -> None:
    with pytest.raises(ValueError, match=r"company\.get: larger than a Kafka record may be; nothing was sent"):
        await stand.ask(data={"name": "x" * 1_000_000})


async def test_commands_are_keyed_by_their_account_and_without_one_all_alike(stand: Stand) -> None:
    asking = [stand.ask(account="acme"), stand.ask(record_id=1), stand.ask(record_id=2)]
    await stand.correlations()
    stand.caller.end(KafkaTrouble("over"))
    assert [(topic, key) for topic, key, _ in stand.log.said] == [
        ("copper.company.commands", b"acme"),
        ("copper.company.commands", b"copper"),
        ("copper.company.commands", b"copper"),
    ]
    await asyncio.wait(asking)
    assert all(isinstance(each.exception(), KafkaTrouble) for each in asking)


async def test_a_command_that_is_to_be_signed_and_cannot_be_is_not_sent(stand: Stand) -> None:
    caller = Caller("kafka:9092", TopicNames(), stand.log, SigningKey("shop", b"canary"))
    for lacking in ({"deadline": 1.0}, {"command_id": "c-1"}):
        with pytest.raises(ValueError, match="needs an id and a deadline"):
            await caller.ask("company", "get", within_s=30, record_id=7, **lacking)
    assert stand.log.said == []
