"""Calling: commands out, and to each its own reply, any number at once.

Called by `bridge.client.commands` and `copper-bridge call`. Reads the default replies topics of the entities it is for,
from where they end when it begins; knows its own replies by their correlation ids and leaves those of others alone.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from bridge.client.connecting import (
    STOP_SECONDS,
    Kafka,
    KafkaTrouble,
    consumer,
    incoming,
    places,
    producer,
    read_from,
    trouble,
)
from bridge.contract.catalogue import Action
from bridge.contract.commands import encode
from bridge.contract.records import Incoming
from bridge.contract.signing import SigningKey
from bridge.contract.topics import TopicNames

_CORRELATION = "correlation-id"


def id_for(row: Action, given: str | None, *, signed: bool = False) -> str | None:
    """The command id to send: a new one where none was given, but none for a read, unless it is signed.

    What is answered to an id is kept for 30 days, and a read may be repeated without.
    """
    return given or (str(uuid4()) if row.effect or signed else None)


class Caller:
    """Says commands and gives their replies. Made by `calling`, which has `hear` run beside it."""

    def __init__(
        self, kafka: Kafka, names: TopicNames, mouth: AIOKafkaProducer, signing: SigningKey | None = None
    ) -> None:
        self._signing = signing
        self._kafka = kafka
        self._names = names
        self._mouth = mouth
        self._waiting: dict[bytes, asyncio.Future[Incoming | KafkaTrouble]] = {}
        self._over: KafkaTrouble | None = None

    @property
    def signs(self) -> bool:
        """Whether every command is signed. Such a one needs an id and a deadline."""
        return self._signing is not None

    async def ask(
        self, entity: str, action: str, *, within_s: float, account: str | None = None, **members: Any
    ) -> Incoming | None:
        """Put a command on the topic of `entity` and give its reply, or None when none came within `within_s` seconds.

        `members` are those of `bridge.contract.commands.encode`, but for the correlation. Raises `KafkaTrouble`, after
        which the command may lie in its topic or not, and ValueError for one that is too large for any topic, or is to
        be signed and has no id or deadline.
        """
        if self._over is not None:
            raise self._over
        correlation = uuid4().bytes
        value, headers = encode(action, account=account, correlation=correlation, **members)
        # Without an account to key by, one key for all: together they are moved to where it lies, in order.
        topic, key = self._names.commands(entity), (account or self._names.prefix).encode()
        if self._signing is not None:
            if members.get("command_id") is None or members.get("deadline") is None:
                raise ValueError(f"{entity}.{action}: a signed command needs an id and a deadline; nothing was sent")
            headers = self._signing.signed(topic, key, value, headers)
        reply: asyncio.Future[Incoming | KafkaTrouble] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = reply
        try:
            async with asyncio.timeout(within_s):
                await self._mouth.send_and_wait(topic, value, key=key, headers=list(headers))
                said = await reply
        except TimeoutError:
            return None
        except MessageSizeTooLargeError:
            raise ValueError(f"{entity}.{action}: larger than a Kafka record may be; nothing was sent") from None
        except KafkaError as error:
            raise await trouble(self._kafka, error) from error
        finally:
            del self._waiting[correlation]
        if isinstance(said, KafkaTrouble):
            raise said
        return said

    async def hear(self, ears: AIOKafkaConsumer) -> None:
        """Hand out replies, until cancelled or until Kafka refuses: then whoever waits is told."""
        try:
            async for record in ears:
                self._hand_out(incoming(record))
        except KafkaError as error:
            self.end(await trouble(self._kafka, error))

    def _hand_out(self, record: Incoming) -> None:
        waiting = self._waiting.get(record.header(_CORRELATION) or b"")
        if waiting is not None and not waiting.done():
            waiting.set_result(record)

    def end(self, why: KafkaTrouble) -> None:
        """Nobody is answered from now on: all who wait, and all who come, get `why`."""
        self._over = self._over or why
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(why)


@asynccontextmanager
async def calling(
    kafka: Kafka, names: TopicNames, entities: Collection[str], signing: SigningKey | None = None
) -> AsyncGenerator[Caller]:
    """A caller for commands to these entities, each signed if there is a key for it. Raises `KafkaTrouble`.

    When the block is left, calls that are still under way end with `KafkaTrouble`.
    """
    commands, replies = map(names.commands, entities), [names.replies(entity) for entity in entities]
    known = await places(kafka, *commands, *replies)
    heard = [place for topic in replies for place in known[topic]]
    async with consumer(kafka) as ears, producer(kafka) as mouth:
        read_from(ears, await ears.end_offsets(heard))  # before anything is said, so nothing is missed
        caller = Caller(kafka, names, mouth, signing)
        hearing = asyncio.create_task(caller.hear(ears))
        try:
            yield caller
        finally:
            caller.end(KafkaTrouble("the client was closed"))
            hearing.cancel()
            await asyncio.wait([hearing], timeout=STOP_SECONDS)
