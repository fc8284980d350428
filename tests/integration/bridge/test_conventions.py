"""Three tools as they come, each with its own names for the same things: what they ask is answered where they listen.

Another client library writes and reads what spring-kafka, FastStream and kcat do: tests/contract/test_conventions.py
has the bytes that they were seen to write.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Message

from bridge.sandbox.copper import Account
from tests.integration.bridge.conftest import REPLIES
from tests.integration.bridge.stage import Stage
from tests.integration.bridge.test_second_client import consume, produce

Headers = dict[str, bytes]
Convention = Callable[[str, bytes], Headers]
"""Headers of a command, made of the reply topic and a correlation."""


def spring(topic: str, correlation: bytes) -> Headers:
    """`ReplyingKafkaTemplate` with a header mapper that writes text as JSON, listening to one partition."""
    return {
        "idempotency-key": f'"{UUID(bytes=correlation)}"'.encode(),
        "spring_json_header_types": b'{"idempotency-key":"java.util.UUID"}',
        "kafka_replyTopic": topic.encode(),
        "kafka_replyPartition": (1).to_bytes(4, "big"),
        "kafka_correlationId": correlation,
        "__TypeId__": b"java.util.ImmutableCollections$MapN",
    }


def faststream(topic: str, correlation: bytes) -> Headers:
    return {
        "content-type": b"application/json",
        "correlation_id": str(UUID(bytes=correlation)).encode(),
        "reply_to": topic.encode(),
        "idempotency-key": str(UUID(bytes=correlation)).encode(),
    }


def kcat(topic: str, correlation: bytes) -> Headers:
    return {
        "idempotency-key": str(UUID(bytes=correlation)).encode(),
        "correlation-id": str(UUID(bytes=correlation)).encode(),
        "reply-to": topic.encode(),
    }


CONVENTIONS = {
    "kafka_correlationId": spring,
    "correlation_id": faststream,
    "correlation-id": kcat,
}
"""By the header in which the tool looks for what it has sent."""


def command(account: Account, **members: Any) -> dict[str, Any]:
    """As a serializer of classes writes it: with all members that the class has."""
    unset = {"id": None, "email": None, "data": None, "match": None, "expect": None}
    return {**unset, "account": account.name, **members}


async def asked(stage: Stage, topic: str, name: str, value: object, account: Account) -> dict[str, bytes]:
    """Send a command in a convention and wait for the reply to it; the headers of the reply."""
    correlation = uuid4().bytes
    headers = CONVENTIONS[name](topic, correlation)
    await asyncio.to_thread(produce, stage.servers, stage.names.commands("task"), account.name, value, headers)

    def mine(message: Message) -> bool:
        return dict(message.headers() or []).get(name) == headers[name]

    found = await asyncio.to_thread(consume, stage.servers, [topic], lambda all_: mine(all_[-1]))
    reply = found[-1]
    assert name != "kafka_correlationId" or reply.partition() == 1
    read = {each: raw for each, raw in dict(reply.headers() or []).items() if isinstance(raw, bytes)}
    assert json.loads(reply.value() or b"")["command"]["id"] == str(UUID(bytes=correlation))
    assert (read["content-type"], reply.key()) == (b"application/json", account.name.encode())
    return read


@pytest.mark.parametrize("name", CONVENTIONS)
async def test_a_tool_gets_its_reply_on_a_topic_of_its_own_with_an_error_where_it_looks_for_one(
    shared: Stage, customer: Account, name: str
) -> None:
    topic = f"{shared.names.prefix}.{REPLIES}"
    creating = command(customer, action="create", data={"name": f"By {name}"})
    done = await asked(shared, topic, name, creating, customer)
    assert (done["status"], done.get("copper-bridge-error")) == (b"succeeded", None)
    assert [effect.record["name"] for effect in customer.effects if effect.record] == [f"By {name}"]
    missing = await asked(shared, topic, name, command(customer, action="get", id=999), customer)
    assert (missing["status"], missing["copper-bridge-error"]) == (b"failed", b"not-found")
