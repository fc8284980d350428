"""What all shards of a process share, and how it is made: once, by `app.running`."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bridge.app.accounts import Accounts
from bridge.app.health import Health
from bridge.app.oauth import Keys
from bridge.app.observing import Observing
from bridge.app.pacing import intervals_of
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames, topic_specs
from bridge.copper.budgeting import Allowance
from bridge.copper.client import CopperAccount, CopperConnection
from bridge.copper.transport import MAX_CONNECTIONS
from bridge.copper.wire import ApiKey, BearerToken, Credentials
from bridge.kafka.addresses import Addresses
from bridge.kafka.connection import Connection, heed_cancellation
from bridge.kafka.following import Following
from bridge.kafka.inbox import Inbox
from bridge.kafka.intake import Intake
from bridge.kafka.membership import Membership
from bridge.kafka.topics import KafkaUnreachable, cluster_id, ensure
from bridge.kafka.watermarks import Watermarks
from bridge.policy.budget import SHARES_OF_ALL, Budget
from bridge.policy.sightings import Lane
from bridge.settings import AccountSettings, Rereading, Settings
from bridge.shard.room import Room
from bridge.shard.turns import Turns
from bridge.telemetry.traces import Tracing

KAFKA_AGAIN_SECONDS = 2.0
FOLLOWED = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))


def enabled(settings: Settings) -> list[str]:
    """The entities that are followed by these settings."""
    return [entity for entity in FOLLOWED if settings.events.of(entity).enabled]


def intervals(settings: Settings) -> dict[str, float | None]:
    """Seconds from one scan of an entity to the next, usually; None for one that is switched off."""
    on = enabled(settings)
    return {entity: intervals_of(settings, entity).every if entity in on else None for entity in FOLLOWED}


def replica_of(settings: Settings) -> str:
    """What this process is known by among the replicas: in Kubernetes both are the pod's name."""
    return settings.kafka.member_id or socket.gethostname()


@dataclass(frozen=True, slots=True)
class World:
    """What all shards share."""

    settings: Settings
    """As they were at the start; whoever needs a secret asks `secrets`."""
    secrets: Rereading
    names: TopicNames
    cluster: str
    connection: Connection
    watermarks: Watermarks
    intake: Intake
    inputs: Sequence[str]
    membership: Membership
    addresses: Addresses
    accounts: Accounts
    following: Following | None
    """Reads the accounts that connected themselves; None when there can be none."""
    observing: Observing
    health: Health
    tracing: Tracing
    room: Room
    waiting: dict[int, Callable[[], Counter[str]]] = field(default_factory=dict)
    """By shard: commands taken in and not yet answered, by account."""
    owners: dict[int, str] = field(default_factory=dict)
    """Shard to the replica that owns it, as the group told it last; for people, kept by `app.looking`."""


async def made(
    settings: Settings,
    stack: AsyncExitStack,
    load: Callable[[], Settings] | None,
    observing: Observing,
    health: Health,
    tracing: Tracing,
) -> tuple[World, Inbox]:
    """The world, and the inbox for the public port; waits for Kafka. What is opened is closed with the stack.

    `load` reads the settings again when the files of their secrets have changed.

    Raises:
        TopicsUnfit: the topics are not as they must be.
    """
    names = TopicNames(settings.topics.prefix)
    connection = Connection(settings.kafka, settings.instance, troubled=observing.unreachable)
    cluster = await _prepared(settings, names, connection, observing)
    copper = await stack.enter_async_context(
        CopperConnection(
            settings.copper.base_url,
            timeout=settings.copper.timeout.total_seconds(),
            observe=observing.called,
            turn=Turns(MAX_CONNECTIONS, SHARES_OF_ALL).turn,
        )
    )
    health.asked(answered=True)
    secrets = Rereading(
        settings, load, clock=time.monotonic, renewed=observing.renewed, unusable=observing.secrets_unusable
    )
    now = asyncio.get_running_loop().time()
    fixed = {name: account_of(copper, name, secrets.now, now, waited=observing.waited) for name in settings.accounts}

    def opened(name: str, credentials: Callable[[], Credentials]) -> CopperAccount:
        since = asyncio.get_running_loop().time()
        return copper.account(name, credentials, _allowance(settings, since, observing.waited))

    accounts = Accounts(fixed, opened, Keys(secrets.now))
    inputs = [*map(names.commands, CATALOGUE.entities), names.inbox, names.control]
    partitions = settings.topics.partitions
    world = World(
        settings=settings,
        secrets=secrets,
        names=names,
        cluster=cluster,
        connection=connection,
        watermarks=await stack.enter_async_context(Watermarks(connection)),
        intake=Intake(
            connection,
            inputs,
            partitions,
            shown_as=f"{settings.instance}-positions",
            moved=lambda: health.moved("intake", "reading commands and notifications"),
        ),
        inputs=inputs,
        membership=Membership(
            connection,
            group=settings.instance,
            topic=names.cursors,
            session_seconds=settings.kafka.session_timeout.total_seconds(),
            name=replica_of(settings),
            member_id=settings.kafka.member_id,
            notice=observing.owning,
            moved=lambda: health.moved("membership", "in the group"),
        ),
        addresses=Addresses(connection, {spec.name: partitions for spec in topic_specs(names)}),
        accounts=accounts,
        following=Following(connection, names.accounts, partitions, accounts.learn) if settings.oauth.keys else None,
        observing=observing,
        health=health,
        tracing=tracing,
        room=Room(),
    )
    return world, await stack.enter_async_context(Inbox(connection))


async def _prepared(settings: Settings, names: TopicNames, connection: Connection, observing: Observing) -> str:
    """Wait for Kafka, see to the topics; gives the cluster's id."""
    topics = settings.topics
    while True:
        try:
            if topics.manage != "off":
                await ensure(
                    connection,
                    topic_specs(names),
                    partitions=topics.partitions,
                    replication_factor=topics.replication_factor,
                    create=topics.manage == "create",
                )
            return await cluster_id(connection)
        except KafkaUnreachable as problem:
            observing.unreachable(str(problem))
            heed_cancellation()
            await asyncio.sleep(KAFKA_AGAIN_SECONDS)


def account_of(
    copper: CopperConnection,
    name: str,
    now: Callable[[], Settings],
    since: float,
    *,
    waited: Callable[[Lane, float], None] = lambda _lane, _seconds: None,
) -> CopperAccount:
    """An account with the credentials that the settings have for it `now`, and a budget that is empty at `since`.

    `waited` is told how long each call has waited for its permission.
    """
    return copper.account(name, lambda: _credentials(now().accounts[name]), _allowance(now(), since, waited))


def _allowance(settings: Settings, since: float, waited: Callable[[Lane, float], None]) -> Allowance:
    return Allowance(Budget(settings.copper.requests_per_minute, since), waited)


def _credentials(account: AccountSettings) -> Credentials:
    if account.access_token is not None:
        return BearerToken(account.access_token.get_secret_value())
    if account.api_key is not None:
        return ApiKey(account.api_key.get_secret_value(), account.user_email or "")
    raise ValueError("settings let no account without credentials through")
