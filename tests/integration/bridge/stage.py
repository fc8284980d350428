"""A bridge at work in this process, between a Copper double over real HTTP and topics of its own on a real Kafka.

Whoever tests puts people to work in the double, produces commands, and waits for what can be read back.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from bridge.app import Running, serving
from bridge.contract.commands import encode
from bridge.contract.records import Headers
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames, topic_specs
from bridge.sandbox.copper import Account, CopperDouble, DoubleAccount, Knobs
from bridge.sandbox.copper.limits import Call
from bridge.sandbox.kafka.ports import free_ports
from bridge.settings import Settings, load
from tests.integration.bridge.reading import PATIENCE_S, Log, Message, following

SHARDS = 3
ENTITIES = ("company", "person", "lead", "opportunity", "task", "project")
COPPER = {"timeout": "2s", "lateness": "500ms", "index_lag": "2s"}
TIMEOUT_S = 2.0
LOOK_S = 0.05


class Stage:
    """The running bridge and all that is around it. `bridge` is None while it is stopped."""

    def __init__(
        self, read: Callable[[], Settings], copper: CopperDouble, log: Log, producer: AIOKafkaProducer
    ) -> None:
        self.settings = read()
        self._read = read
        self.copper = copper
        self.names = TopicNames(self.settings.topics.prefix)
        self.log = log
        self.running: Running | None = None
        self._producer = producer
        self._numbers = count(1)
        self._origin = uuid4().hex[:6]
        self._stop = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @property
    def servers(self) -> str:
        return self.settings.kafka.bootstrap_servers

    def account(self, name: str) -> Account:
        return self.copper.account(name)

    def shard(self, account: str) -> int:
        return shard_of(account, SHARDS)

    async def start(self) -> None:
        """Start the bridge and wait until all its shards are open."""
        started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._work = asyncio.create_task(self._serve(started))
        async with asyncio.timeout(PATIENCE_S):
            self.running = await started
            await self.running.ready.wait()

    async def stop(self) -> None:
        """Let the bridge drain."""
        self._stop.set()
        if self._work is not None:
            await self._work
        self.running = self._work = None

    async def _serve(self, started: "asyncio.Future[Running]") -> None:
        try:
            async with serving(self.settings, self._stop, self._read) as running:
                started.set_result(running)
                await self._stop.wait()
        except BaseException as problem:
            self.log.fail(problem)
            if not started.done():
                started.set_exception(problem)
                return
            raise

    async def send(
        self, topic: str, value: bytes | None, headers: Headers = (), *, key: bytes | None, partition: int | None = None
    ) -> tuple[int, int]:
        """Produce one record as it is; its partition and offset."""
        sent = await self._producer.send_and_wait(topic, value, key=key, partition=partition, headers=list(headers))
        return sent.partition, sent.offset

    async def command(self, account: str, entity: str, action: str, **members: Any) -> bytes:
        """Send a command; the correlation id its reply will have. `members` as `encode` takes them."""
        correlation = f"c-{self._origin}-{next(self._numbers)}".encode()
        value, headers = encode(action, account=account, correlation=correlation, **members)
        await self.send(self.names.commands(entity), value, headers, key=account.encode())
        return correlation

    async def reply(
        self, entity: str, correlation: bytes, *, topic: str | None = None, seconds: float = PATIENCE_S
    ) -> Message:
        """The one reply that carries the correlation id."""
        place = topic or self.names.replies(entity)
        return await self.log.one(place, lambda each: correlation in each.headers.values(), seconds=seconds)

    async def ask(self, account: str, entity: str, action: str, **members: Any) -> Message:
        """Send a command and wait for its reply."""
        return await self.reply(entity, await self.command(account, entity, action, **members))

    async def made(self, account: str, entity: str, data: Mapping[str, Any]) -> int:
        """The id of a record that was created by command."""
        reply = await self.ask(account, entity, "create", data=data)
        assert reply.value["status"] == "succeeded", reply.value
        return int(reply.value["record"]["id"])

    async def event(self, entity: str, kind: str, record_id: int, account: str) -> Message:
        """The only event of that kind about a record."""
        key = f"{account}/{record_id}".encode()
        return await self.log.one(self.names.event(entity, kind), lambda each: each.key == key)

    def calls(self, account: str, method: str = "*", path: str = "*") -> list[Call]:
        """Calls that the double saw."""
        return [
            call
            for call in self.copper.calls
            if call.account == account and method in {"*", call.method} and path in {"*", call.path}
        ]

    async def subscribed(self, *accounts: str) -> None:
        """Wait until Copper is asked to notify of everything."""
        await eventually(
            lambda: all(len(self.account(each).subscriptions.rows) >= 3 * len(ENTITIES) for each in accounts)
        )

    async def noticed(self, account: str) -> None:
        """Wait until every notification has come in, is worked off, and what followed from it has been read."""
        await self.copper.notified()
        shard, key = self.shard(account), f"position/{self.names.inbox}".encode()
        end = (await self.log.end(self.names.inbox))[shard]
        await self.log.wait(
            self.names.cursors,
            lambda each: each.key == key and each.partition == shard and each.value["next"] >= end,
        )
        await self.log.caught_up()

    async def scanned(self, account: str, entity: str) -> None:
        """Wait until two more scans of an entity have been committed: the second began after this was called."""
        key = f"scan/{account}/{entity}".encode()
        before = len(self.log.of(self.names.cursors, lambda each: each.key == key))
        await self.log.wait(self.names.cursors, lambda each: each.key == key, count=before + 2)
        await self.log.caught_up()

    async def page(self, path: str) -> tuple[int, str]:
        """What the internal port answers."""
        assert self.running is not None
        url = f"http://127.0.0.1:{self.running.internal_port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """A metric as it is now, 0 when it was never counted."""
        families = text_string_to_metric_families((await self.page("/metrics"))[1])
        samples = (sample for family in families for sample in family.samples)
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )


async def eventually(fact: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for a fact of the double, which tells nobody."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def stage(
    servers: str,
    directory: Path,
    accounts: Iterable[str],
    *,
    knobs: Knobs | None = None,
    before: Callable[[CopperDouble], None] = lambda _: None,
    topics: Iterable[str] = (),
    webhooks: bool = False,
    secrets: Path | None = None,
    prefix: str | None = None,
    strangers: Iterable[str] = (),
    oauth: Callable[[CopperDouble], Mapping[str, Any]] = lambda _copper: {},
    **settings: Mapping[str, Any],
) -> AsyncGenerator[Stage]:
    """A bridge with a prefix and instance of its own, ready, and drained at the end.

    `strangers` are accounts that only the double has, `oauth` says how they may connect themselves. `before` furnishes
    the double; `topics` are further ones to make and read, their names after the prefix and a dot;
    `settings` are groups of settings, taken in addition to what is quick; `secrets` has the API keys in files; bridges
    with one `prefix` come one after the other, each with accounts of its own.
    """
    prefix = prefix or f"b{uuid4().hex[:10]}"
    names, extra = TopicNames(prefix), [f"{prefix}.{topic}" for topic in topics]
    people = [DoubleAccount(name, f"{name}-key", f"ops@{name}.example") for name in (*accounts, *strangers)]
    async with CopperDouble(people, knobs=knobs, seed=7) as copper:
        before(copper)
        more = settings | {"oauth": oauth(copper)}
        whole = _settings(servers, prefix, directory, copper, webhooks=webhooks, secrets=secrets, more=more)
        for name in strangers:
            del whole["accounts"][name]
        await _make(servers, extra)
        producer = AIOKafkaProducer(bootstrap_servers=servers, max_request_size=2_000_000)
        await producer.start()
        try:
            play = Stage(partial(load, None, {}, whole), copper, Log(), producer)
            await play.start()
            try:
                async with following(servers, [*(spec.name for spec in topic_specs(names)), *extra], SHARDS, play.log):
                    yield play
            finally:
                await play.stop()
        finally:
            await producer.stop()


def _settings(
    servers: str,
    prefix: str,
    directory: Path,
    copper: CopperDouble,
    *,
    webhooks: bool,
    secrets: Path | None,
    more: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    (port,) = free_ports(1)
    settings: dict[str, Any] = {
        "instance": prefix,
        "copper": {"base_url": copper.base_url, **COPPER},
        "accounts": {
            name: {"user_email": account.config.user_email}
            | ({"api_key": account.config.api_key} if secrets is None else {})
            for name, account in copper.accounts.items()
        },
        "kafka": {"bootstrap_servers": servers},
        "topics": {"prefix": prefix, "partitions": SHARDS, "replication_factor": 1},
        "webhooks": {"public_url": f"http://127.0.0.1:{port}"} if webhooks else {},
        "server": {"public": {"host": "127.0.0.1", "port": port}, "internal": {"host": "127.0.0.1", "port": 0}},
        "state": {"dir": str(directory)},
    } | ({} if secrets is None else {"secrets_dir": str(secrets)})
    return settings | {name: settings.get(name, {}) | dict(group) for name, group in more.items()}


async def _make(servers: str, topics: Iterable[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, SHARDS, 1) for topic in topics])
    finally:
        await admin.close()
