"""Another client library, another language's bindings: what the bridge says and hears is no matter of aiokafka."""

import asyncio
import json
from collections.abc import Callable, Iterable
from uuid import uuid4

from confluent_kafka import Consumer, Message, Producer

from bridge.sandbox.copper import Account
from tests.integration.bridge.reading import PATIENCE_S
from tests.integration.bridge.stage import Stage


def produce(servers: str, topic: str, key: str, value: object, headers: dict[str, bytes]) -> Message:
    """Send one record and wait until it is kept."""
    kept: list[Message] = []
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random", "acks": "all"})
    producer.produce(
        topic,
        json.dumps(value).encode(),
        key.encode(),
        headers=list(headers.items()),
        on_delivery=lambda error, message: kept.append(message) if error is None else None,
    )
    assert producer.flush(PATIENCE_S) == 0
    (message,) = kept
    return message


def consume(servers: str, topics: Iterable[str], enough: Callable[[list[Message]], bool]) -> list[Message]:
    """What a consumer group of its own reads from the beginning, until that is enough."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(list(topics))
    found: list[Message] = []
    try:
        for _ in range(int(PATIENCE_S * 2)):
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
                if enough(found):
                    return found
    finally:
        consumer.close()
    raise AssertionError(f"{len(found)} messages were not enough")


def header(message: Message, name: str) -> bytes | str | None:
    return dict(message.headers() or []).get(name)


async def test_a_client_of_librdkafka_commands_and_reads_its_reply_and_the_events(
    shared: Stage, customer: Account
) -> None:
    names, correlation = shared.names, uuid4().bytes
    command = {"action": "create", "account": customer.name, "data": {"name": "By librdkafka"}}
    headers = {"correlation_id": correlation, "idempotency-key": b"from-c"}
    sent = await asyncio.to_thread(produce, shared.servers, names.commands("project"), customer.name, command, headers)
    assert sent.partition() == shared.shard(customer.name)

    def mine(message: Message) -> bool:
        return header(message, "ce_causationid") == b"from-c"

    topics = {
        names.replies("project"),
        names.event("project", "created"),
        names.changes("project"),
        names.state("project"),
    }
    found = await asyncio.to_thread(
        consume, shared.servers, topics, lambda all_: {each.topic() for each in all_ if mine(each)} == topics
    )
    by_topic = {message.topic(): message for message in found if mine(message)}
    reply = json.loads(by_topic[names.replies("project")].value() or b"")
    assert header(by_topic[names.replies("project")], "correlation_id") == correlation
    assert reply["status"] == "succeeded"
    event = by_topic[names.event("project", "created")]
    assert json.loads(event.value() or b"")["after"] == reply["record"]
    assert event.key() == f"{customer.name}/{reply['record']['id']}".encode()
    assert header(event, "ce_id") == str(reply["event_id"]).encode()
    assert json.loads(by_topic[names.state("project")].value() or b"") == reply["record"]
