"""What a consumer of the bridge's topics sees, at read_committed, and how a test waits for it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jsonschema_rs
import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from bridge.contract.catalogue import topics_root
from bridge.kafka.connection import let_go

PATIENCE_S = 90.0
"""A fact that has not come by then will not."""
LOOK_S = 0.02


@dataclass(frozen=True)
class Message:
    """A record as consumed; names of headers may repeat, `headers` keeps the last of each."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    raw: bytes | None
    pairs: tuple[tuple[str, bytes], ...]

    @cached_property
    def value(self) -> Any:
        return None if self.raw is None else orjson.loads(self.raw)

    @cached_property
    def headers(self) -> Mapping[str, bytes]:
        return dict(self.pairs)

    def text(self, name: str) -> str:
        """A header as text, empty when there is none."""
        return self.headers.get(name, b"").decode()


@dataclass
class Log:
    """Every committed record of the topics it reads, in the order of each partition."""

    messages: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    broken: BaseException | None = None
    consumer: AIOKafkaConsumer | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, topic: str, wanted: Callable[[Message], bool] = lambda _: True) -> list[Message]:
        return [message for message in self.messages[topic] if wanted(message)]

    async def wait(
        self, topic: str, wanted: Callable[[Message], bool], *, count: int = 1, seconds: float = PATIENCE_S
    ) -> list[Message]:
        """The messages that are wanted, once there are so many."""
        try:
            async with asyncio.timeout(seconds):
                while len(found := self.of(topic, wanted)) < count:
                    if self.broken is not None:
                        raise AssertionError("the bridge has ended by itself") from self.broken
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            counts = {name: len(messages) for name, messages in self.messages.items()}
            raise AssertionError(f"{len(found)} of {count} in {topic} after {seconds} s; seen: {counts}") from None
        return found

    async def one(self, topic: str, wanted: Callable[[Message], bool], *, seconds: float = PATIENCE_S) -> Message:
        """The only message that is wanted, once it is there."""
        (found,) = await self.wait(topic, wanted, seconds=seconds)
        return found

    async def end(self, topic: str) -> dict[int, int]:
        """Of each partition the offset that comes next."""
        assert self.consumer is not None
        places = [place for place in self.consumer.assignment() if place.topic == topic]
        return {place.partition: end for place, end in (await self.consumer.end_offsets(places)).items()}

    async def caught_up(self) -> None:
        """Wait until everything that is committed now has been read."""
        assert self.consumer is not None
        ends = await self.consumer.end_offsets(list(self.consumer.assignment()))
        async with asyncio.timeout(PATIENCE_S):
            for place, end in ends.items():
                while await self.consumer.position(place) < end:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(LOOK_S)

    def take(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        message = Message(
            record.topic, record.partition, record.offset, record.key, record.value, tuple(record.headers)
        )
        self.messages[record.topic].append(message)
        self._news.set()

    def fail(self, problem: BaseException) -> None:
        """Let whoever waits know that it is in vain."""
        self.broken = problem
        self._news.set()


@asynccontextmanager
async def following(servers: str, topics: Iterable[str], partitions: int, log: Log) -> AsyncGenerator[None]:
    """Fill the log from the beginning of the topics, and go on while the context lasts."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    log.consumer = consumer
    consumer.assign([TopicPartition(topic, number) for topic in topics for number in range(partitions)])

    async def read() -> None:
        async for record in consumer:
            log.take(record)

    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await let_go(consumer)


def schema(name: str) -> Any:
    """A published schema."""
    return orjson.loads((topics_root() / "schemas" / f"{name}.json").read_bytes())


def validate(message: Message, *names: str) -> None:
    """The value is valid against the schema that the message names, and against those named here."""
    named = [message.text("ce_dataschema").rpartition(":")[2]] if "ce_dataschema" in message.headers else []
    assert named or names, f"{message.topic} names no schema"
    for name in (*named, *names):
        jsonschema_rs.validate(schema(name), message.value)


def repeated(messages: Sequence[Message]) -> list[str]:
    """Ids that more than one message of a topic has."""
    return [name for name, times in Counter(message.text("ce_id") for message in messages).items() if times > 1]
