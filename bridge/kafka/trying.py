"""What this user may do on the cluster, found out by trying, since Kafka's list of permissions is not for everybody.

Called by `bridge.app.checking`. Made of single requests, so that nothing is disturbed: a transaction of an id of its
own, without records and aborted; a heartbeat of a member that no group has; a read of one record that is thrown away.
A bridge that runs is not fenced, its group is not joined.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest

from bridge.kafka.connection import Connection
from bridge.kafka.topics import administering
from bridge.policy.checks_of_kafka import Tried

T = TypeVar("T")

NONE = 0
OFFSET_OUT_OF_RANGE = 1
OPERATION_NOT_ATTEMPTED = 55
ANOTHER_TIME = frozenset({3, 5, 6, 14, 15, 16, 51})
"""The broker has not heard of a new topic or leader; the coordinator is loading, not there, elsewhere, or busy with the
transaction before: ask again."""
REFUSED = frozenset({29, 30, 31, 53})
"""Not allowed: the topic, the group, the cluster, the transactional id."""
AGAIN_SECONDS = 0.1
NOBODY = "copper-bridge-check"
"""No group has a member of this name: members' names end in a number that Kafka draws."""
NOBODY_LEADS, LEADER_NOT_AVAILABLE = -1, 5
GROUP, TRANSACTION = 0, 1
"""Kinds of coordinators."""
TRANSACTION_MS = 10_000

_A_BYTE = 1
"""A broker gives one batch even to those who ask for less."""


class Trying:
    """One admin client, and what is asked through it."""

    def __init__(self, admin: AIOKafkaAdminClient, seconds: float) -> None:
        self._admin = admin
        self._seconds = seconds

    async def brokers(self) -> int:
        """How many brokers the cluster has."""
        return len((await self._admin.describe_cluster())["brokers"])

    async def transaction(self, transactional_id: str, topics: Iterable[str]) -> tuple[str, dict[str, str]]:
        """Begin a transaction over the topics, and abort it: what refuses the transaction, what each topic."""
        try:
            node = await self._coordinator(transactional_id, TRANSACTION)
            begin = InitProducerIdRequest(transactional_id, TRANSACTION_MS)
            begun = await self._ask(node, begin, _only)
            if begun.error_code:
                return _name(begun.error_code), {}
            identity = transactional_id, begun.producer_id, begun.producer_epoch
            add = AddPartitionsToTxnRequest(*identity, [(topic, [0]) for topic in topics])
            added = await self._ask(node, add, lambda answer: _codes(answer.errors).values())
            await self._ask(node, EndTxnRequest(*identity, transaction_result=False), _only)
        except KafkaError as problem:
            return _class(problem), {}
        return "", _refused(_codes(added.errors))

    async def groups(self, names: Iterable[str]) -> dict[str, str]:
        """What refuses taking part in each group."""
        refused = {}
        for name in names:
            try:
                node = await self._coordinator(name, GROUP)
                heartbeat = HeartbeatRequest(name, 0, NOBODY)
                code = (await self._ask(node, heartbeat, _only)).error_code
            except KafkaError as problem:
                refused[name] = _class(problem)
            else:
                refused |= {name: _name(code)} if code in REFUSED else {}
        return refused

    async def reads(self, topics: Iterable[str]) -> dict[str, str]:
        """What refuses reading each topic."""
        wanted = set(topics)
        return _refused(await self._settled(lambda: self._fetched(wanted), lambda codes: codes.values()))

    async def _fetched(self, topics: Collection[str]) -> dict[str, int]:
        """The code of each topic."""
        leaders = defaultdict(list)
        for topic in await self._admin.describe_topics():
            if topic["topic"] in topics:
                leaders[topic["partitions"][0]["leader"]].append(topic["topic"])
        codes = dict.fromkeys(leaders.pop(NOBODY_LEADS, []), LEADER_NOT_AVAILABLE)
        for node, names in leaders.items():
            asked = [(name, [(0, 0, _A_BYTE)]) for name in names]
            codes |= _codes((await self._send(node, FetchRequest(0, 0, _A_BYTE, 1, asked))).topics)
        return codes

    async def _coordinator(self, name: str, kind: int) -> int:
        async with asyncio.timeout(self._seconds):
            while True:
                try:
                    return int(await self._admin.find_coordinator(name, kind))
                except KafkaError as problem:
                    if getattr(problem, "errno", None) not in ANOTHER_TIME:
                        raise
                await asyncio.sleep(AGAIN_SECONDS)

    async def _ask(self, node: int, request: Any, codes: Callable[[Any], Collection[int]]) -> Any:
        return await self._settled(lambda: self._send(node, request), codes)

    async def _settled(self, ask: Callable[[], Awaitable[T]], codes: Callable[[T], Collection[int]]) -> T:
        """The answer, asked for again while it is no final one, for a while."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._seconds
        while True:
            answer = await ask()
            if ANOTHER_TIME.isdisjoint(codes(answer)) or clock() > end:
                return answer
            await asyncio.sleep(AGAIN_SECONDS)

    async def _send(self, node: int, request: Any) -> Any:
        return await self._admin._send_request_to_node(node, request)  # noqa: SLF001 - aiokafka, pinned, has no other way


@asynccontextmanager
async def trying(connection: Connection) -> AsyncIterator[Trying]:
    """Something to try things with.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    async with administering(connection) as admin:
        yield Trying(admin, connection.request_seconds)


async def tried(
    attempt: Trying, *, transactional_id: str, writes: Sequence[str], reads: Sequence[str], groups: Sequence[str]
) -> Tried:
    """All that a bridge does."""
    transaction, refused = await attempt.transaction(transactional_id, writes)
    return Tried(transaction, refused, await attempt.reads(reads), await attempt.groups(groups))


def _only(answer: Any) -> Collection[int]:
    return (answer.error_code,)


def _codes(errors: Iterable[tuple[str, Sequence[tuple[int, int]]]]) -> dict[str, int]:
    """By topic: each was asked for one partition."""
    return {topic: rows[0][1] for topic, rows in errors}


def _refused(codes: Mapping[str, int]) -> dict[str, str]:
    allowed = NONE, OFFSET_OUT_OF_RANGE, OPERATION_NOT_ATTEMPTED
    return {topic: _name(code) for topic, code in codes.items() if code not in allowed}


def _name(code: int) -> str:
    return _class(for_code(code)())


def _class(problem: Exception) -> str:
    return type(problem).__name__.removesuffix("Error")
