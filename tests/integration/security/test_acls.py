"""A broker with an authorizer: what the page of ACLs grants is enough, and what is missing is named."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from structlog.testing import capture_logs

from bridge.access import Access
from bridge.app import serving
from bridge.app.oauth import linking
from bridge.app.running import StoppedEarly
from bridge.client.accounts import directory
from bridge.client.calling import calling
from bridge.client.dead_letters import letters, redrive
from bridge.client.notifications import ask
from bridge.contract.announcements import Told
from bridge.contract.commands import encode
from bridge.contract.control import Asked, Control
from bridge.contract.grants import Grant, Manage, of_bridge, of_caller, of_consumer, of_operator
from bridge.contract.topics import TopicNames
from bridge.kafka.connection import Connection
from bridge.kafka.owners import owners
from bridge.kafka.topics import TopicsUnfit
from bridge.policy.redriving import Search, Step, decide
from bridge.sandbox.copper import CopperDouble, DoubleAccount
from bridge.settings import KafkaSettings, Settings
from tests.integration.bridge.consenting import consent, oauth
from tests.integration.bridge.stage import COPPER, SHARDS, Stage, eventually, stage
from tests.integration.security.broker import CALLER, CONSUMER, EXACT, OPERATOR, Secured
from tests.integration.security.granting import allow

PREFIX = f"x{uuid4().hex[:10]}"
NAMES = TopicNames(PREFIX)
ACCOUNT, GLOBEX = "acme", "globex"
ALL = of_bridge(NAMES, PREFIX)
REST = "; docs/reference/kafka-acls.md lists what it needs"


def lacking(resource: str, name: str, operation: str) -> list[Grant]:
    """Everything but one operation on one resource."""
    return [part for grant in ALL for part in _lacking(grant, resource, name, operation)]


def _lacking(grant: Grant, resource: str, name: str, operation: str) -> Iterator[Grant]:
    if grant.resource != resource or name not in grant.names or operation not in grant.operations:
        yield grant
        return
    names = tuple(each for each in grant.names if each != name)
    operations = tuple(each for each in grant.operations if each != operation)
    if names:
        yield replace(grant, names=names)
    if operations:
        yield replace(grant, names=(name,), operations=operations)


async def test_with_exactly_what_the_page_lists_everything_works(broker: Secured, tmp_path: Path) -> None:
    await allow(broker.admin, EXACT, ALL)
    company = {name: {"enabled": False} for name in ("person", "lead", "opportunity", "task", "project")}
    async with stage(
        broker.kafka.bootstrap_servers,
        tmp_path,
        [ACCOUNT, "b2b"],
        kafka=broker.sasl("SCRAM-SHA-512", user=EXACT),
        events={"poll_every": "1s"} | company,
        webhooks=True,
        prefix=PREFIX,
        strangers=[GLOBEX],
        oauth=oauth,
    ) as play:
        record_id = await play.made(ACCOUNT, "company", {"name": "Tideglass"})
        await eventually(lambda: len(play.account(ACCOUNT).subscriptions.rows) == 3)
        play.account(ACCOUNT).edit("company", record_id, {"details": "by a person"})
        await play.event("company", "updated", record_id, ACCOUNT)
        await play.noticed(ACCOUNT)
        await _misplaced(play)
        await _called(broker, play)
        await _consumed(broker, play)
        await _operated(broker, play)
        assert await _owners(broker, EXACT) == dict.fromkeys(range(SHARDS), socket.gethostname())
        assert await _owners(broker, CALLER) is None
        await _connected(broker, play)


async def _owners(broker: Secured, user: str) -> dict[int, str] | None:
    settings = KafkaSettings.model_validate(broker.sasl("PLAIN", user=user))
    return await owners(Connection(settings, "test"), group=PREFIX, topic=NAMES.cursors)


async def _connected(broker: Secured, play: Stage) -> None:
    """A customer connects an account, an operator sees it and has it disconnected."""
    links, access = linking(play.settings), _access(broker, OPERATOR)
    assert links is not None
    assert await consent(links.link(GLOBEX, time.time()).url, GLOBEX) == f"Copper is connected: {GLOBEX}"
    await play.log.wait(NAMES.notifications, lambda each: each.value["type"] == Told.ACCOUNT_CONNECTED)
    assert [*(await directory(access, NAMES)).connected] == [GLOBEX]
    async with contextlib.aclosing(ask(access, NAMES, Control("gone", Asked.FORGET, GLOBEX))) as told:
        assert [(await anext(told)).told for _ in range(2)] == [Told.ACCOUNT_LEAVING, Told.ACCOUNT_DISCONNECTED]


async def _misplaced(play: Stage) -> None:
    """A command in another account's partition is moved to its own."""
    value, headers = encode("search", account=ACCOUNT, correlation=b"misplaced", data={})
    elsewhere = (play.shard(ACCOUNT) + 1) % SHARDS
    await play.send(NAMES.commands("company"), value, headers, key=b"elsewhere", partition=elsewhere)
    assert (await play.reply("company", b"misplaced")).value["status"] == "succeeded"


async def _called(broker: Secured, play: Stage) -> None:
    await allow(broker.admin, CALLER, of_caller(NAMES, ["company"]))
    access = _access(broker, CALLER)
    async with calling(access, NAMES, ["company"]) as caller:
        reply = await caller.ask("company", "search", within_s=30, account=ACCOUNT, data={})
    assert reply is not None


async def _consumed(broker: Secured, play: Stage) -> None:
    topic = NAMES.event("company", "updated")
    await allow(broker.admin, CONSUMER, of_consumer([topic], "shop"))
    reader = AIOKafkaConsumer(
        topic, **_access(broker, CONSUMER).arguments, group_id="shop", auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        async with asyncio.timeout(30):
            await reader.getone()
            await reader.commit()
    finally:
        await reader.stop()


async def _operated(broker: Secured, play: Stage) -> None:
    await allow(broker.admin, OPERATOR, of_operator(NAMES))
    access = _access(broker, OPERATOR)
    async with contextlib.aclosing(ask(access, NAMES, Control("c", Asked.SNAPSHOT, "b2b", "company"))) as told:
        assert (await anext(told)).told is Told.CONTROL_ACCEPTED
    await play.send(NAMES.commands("company"), b"no command", key=ACCOUNT.encode())
    await play.log.wait(NAMES.dead_letters("company"), lambda _: True)
    (letter,) = [each async for each in letters(access, NAMES, Search(entity="company"))]
    step = decide(letter.letter, letter.state, NAMES, partitions=letter.partitions, park_after=3)
    assert isinstance(step, Step)
    assert [each async for each in redrive(access, NAMES, _one(step))] == [[step]]


async def _one(step: Step) -> AsyncGenerator[Step]:
    yield step


def _access(broker: Secured, user: str) -> Access:
    settings = KafkaSettings.model_validate(broker.sasl("PLAIN", user=user))
    return Access(settings.bootstrap_servers, settings)


@asynccontextmanager
async def bridge(
    broker: Secured, directory: Path, account: str, *, prefix: str = PREFIX, manage: str = "create"
) -> AsyncGenerator["asyncio.Task[None]"]:
    """A bridge that tries to work, with a record to publish in an account that is new to it; its task."""
    async with CopperDouble([DoubleAccount(account, "key", "ops@acme.example")], seed=7) as copper:
        copper.account(account).load("company", [{"name": "Tideglass"}])
        settings = Settings.model_validate(
            {
                "instance": PREFIX,
                "copper": {"base_url": copper.base_url, **COPPER},
                "accounts": {account: {"user_email": "ops@acme.example", "api_key": "key"}},
                "kafka": broker.sasl("PLAIN", user=EXACT) | {"request_timeout": "2s"},
                "topics": {"prefix": prefix, "partitions": SHARDS, "replication_factor": 1, "manage": manage},
                "server": {"public": {"host": "127.0.0.1", "port": 0}, "internal": {"host": "127.0.0.1", "port": 0}},
                "state": {"dir": str(directory)},
                "shutdown_grace": "1s",
            }
        )
        stop = asyncio.Event()
        task = asyncio.create_task(_serve(settings, stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait([task])


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    with contextlib.suppress(StoppedEarly, TimeoutError):  # it had no chance to begin, or to end what it had begun
        async with serving(settings, stop):
            await stop.wait()


LACKING = {
    "group": ("group", PREFIX, "Read", f"use consumer group {PREFIX}"),
    "group-of-positions": ("group", f"{PREFIX}-positions", "Read", f"read consumer group {PREFIX}-positions"),
    "transactional-id": ("transactional-id", f"{PREFIX}.", "Write", f"use transactional id {PREFIX}."),
    "write": ("topic", NAMES.state("company"), "Write", f"write topic {NAMES.state('company')}"),
    "read-back": ("topic", NAMES.cursors, "Read", f"read topic {NAMES.cursors}"),
    "read": ("topic", NAMES.commands("company"), "Read", f"read topic {NAMES.commands('company')}"),
}


@pytest.mark.parametrize("what", LACKING)
async def test_one_right_too_few_is_named_and_the_bridge_goes_on_trying(
    broker: Secured, tmp_path: Path, what: str
) -> None:
    resource, name, operation, words = LACKING[what]
    await allow(broker.admin, EXACT, lacking(resource, name, operation))
    with capture_logs() as lines:
        async with bridge(broker, tmp_path, f"lacking-{what}") as trying:
            await eventually(lambda: any(f"does not let this user {words}" in told for told in _told(lines)))
            assert not trying.done()


def _told(lines: list[MutableMapping[str, Any]]) -> list[str]:
    return [str(line.get("error") or line.get("detail")) for line in lines]


async def test_a_topic_that_may_not_be_seen_is_named(broker: Secured, tmp_path: Path) -> None:
    topic = NAMES.changes("company")
    await allow(broker.admin, EXACT, lacking("topic", topic, "Write"))
    with capture_logs() as lines:
        async with bridge(broker, tmp_path, "unseen"):
            await eventually(lambda: any(f"{topic}: there, but not to be seen" in told for told in _told(lines)))


async def test_settings_of_topics_that_may_not_be_read_are_named(broker: Secured, tmp_path: Path) -> None:
    await allow(broker.admin, EXACT, lacking("topic", NAMES.cursors, "DescribeConfigs"))
    async with bridge(broker, tmp_path, "unread") as trying:
        with pytest.raises(TopicsUnfit) as caught:
            await trying
    told = f"{NAMES.cursors}: its settings cannot be read: Kafka does not let this user DescribeConfigs"
    assert str(caught.value) == told + REST


async def test_topics_that_may_not_be_made_are_named(broker: Secured, tmp_path: Path) -> None:
    other = TopicNames(f"{PREFIX}-other")
    await allow(broker.admin, EXACT, of_bridge(other, PREFIX, "verify"))
    async with bridge(broker, tmp_path, "unmade", prefix=other.prefix) as trying:
        with pytest.raises(TopicsUnfit) as caught:
            await trying
    assert f"{other.cursors}: could not be created: Kafka does not let this user Create{REST}" in str(caught.value)


@pytest.mark.parametrize("manage", ["verify", "off"])
async def test_a_bridge_that_makes_no_topics_needs_less(broker: Secured, tmp_path: Path, manage: Manage) -> None:
    await allow(broker.admin, EXACT, of_bridge(NAMES, PREFIX, manage))
    with capture_logs() as lines:
        async with bridge(broker, tmp_path, f"manage-{manage}", manage=manage):
            await eventually(lambda: any(line["event"] == "bridge.ready" for line in lines))
    assert not [told for told in _told(lines) if "does not let" in told]
