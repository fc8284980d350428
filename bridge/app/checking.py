"""`check`: everything a bridge needs, looked at and tried, line by line. Starts nothing of the bridge's work.

Called by the command line. What is found is judged by `bridge.policy.checks` and its neighbours. A bridge that runs
with the same settings is not disturbed.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bridge.app.connecting import CALLBACK_PATH
from bridge.app.oauth import linking
from bridge.app.topics import planned
from bridge.app.webhooks import WANTED, secret, target
from bridge.app.world import account_of, enabled
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames, topic_specs
from bridge.copper import notifications
from bridge.copper.client import CopperConnection
from bridge.copper.examining import examine
from bridge.kafka.connection import Connection
from bridge.kafka.topics import KafkaUnreachable, TopicsUnfit, makeable
from bridge.kafka.trying import tried, trying
from bridge.policy import checks_of_copper, checks_of_kafka
from bridge.policy.budget import WINDOW_SECONDS
from bridge.policy.checks import Line, Part, fine, webhooks, wrong
from bridge.policy.checks_of_copper import Examined
from bridge.policy.topics import Difference, Missing
from bridge.settings import Settings
from bridge.settings.reporting import variable
from bridge.web.reaching import reach

REACH_SECONDS = 5.0


def here(settings: Settings) -> Iterator[Line]:
    """What can be looked at without any network: files and directories that the settings name."""
    files = {name: getattr(settings.kafka, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    unread = {name: path for name, path in files.items() if path is not None and not os.access(path, os.R_OK)}
    for name, path in unread.items():
        yield wrong(Part.SETTINGS, f"kafka.{name}: {path} cannot be read by this user", "mount it, or correct the path")
    yield from _oauth(settings)
    state = Path(settings.state.dir)
    nearest = next(path for path in (state, *state.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        yield fine(Part.STATE, f"{state} can be written")
    else:
        yield wrong(Part.STATE, f"{state} cannot be written by this user", "set state.dir to a directory of its own")


def _oauth(settings: Settings) -> Iterator[Line]:
    """What Copper has to be told, if customers connect their accounts; settings have seen to the rest."""
    links, oauth = linking(settings), settings.oauth
    if links is None:
        return
    what = f"oauth: customers connect their accounts to {oauth.client_id}, tokens are sealed with key {max(oauth.keys)}"
    yield fine(Part.SETTINGS, f"{what}; at Copper the redirect address must be {links.public_url}{CALLBACK_PATH}")
    yield fine(Part.SETTINGS, "oauth: accounts that are connected are not tried here: accounts ls and status tell")


async def elsewhere(settings: Settings) -> AsyncIterator[Line]:
    """What takes a network: Copper, Kafka, the public address."""
    async for line in _copper(settings):
        yield line
    async for line in _kafka(settings):
        yield line
    yield await _webhooks(settings)


async def _copper(settings: Settings) -> AsyncIterator[Line]:
    seconds = settings.copper.timeout.total_seconds()
    async with CopperConnection(settings.copper.base_url, timeout=seconds) as copper:
        found = await asyncio.gather(*(_examined(copper, name, settings) for name in settings.accounts))
    for (name, account), examined in zip(settings.accounts.items(), found, strict=True):
        for line in checks_of_copper.account(
            name,
            examined,
            per_minute=settings.copper.requests_per_minute,
            credential=variable(("accounts", name, "access_token" if account.access_token else "api_key")),
            key_fields=account.key_fields,
        ):
            yield line
    aheads = [examined.ahead for examined in found if examined.ahead is not None]
    if aheads:
        yield checks_of_copper.clock(aheads[0])


async def _examined(copper: CopperConnection, name: str, settings: Settings) -> Examined:
    saved = asyncio.get_running_loop().time() - WINDOW_SECONDS  # a few calls, made at once
    return await examine(
        account_of(copper, name, lambda: settings, saved),
        enabled(settings),
        custom_fields=bool(settings.accounts[name].key_fields),
        wanted=[each for each in WANTED if each.entity in enabled(settings)],
        target=target(settings, name),
        headers={notifications.TOKEN_HEADER: secret(settings, name)},
        clock=time.time,
    )


async def _kafka(settings: Settings) -> AsyncIterator[Line]:
    try:
        async for line in _cluster(settings, Connection(settings.kafka, f"{settings.instance}-check")):
            yield line
    except (KafkaUnreachable, OSError) as problem:  # an OSError: certificates that cannot be used
        yield checks_of_kafka.unreached(settings.kafka.bootstrap_servers, str(problem))


async def _cluster(settings: Settings, connection: Connection) -> AsyncIterator[Line]:
    async with trying(connection) as attempt:
        yield checks_of_kafka.brokers(await attempt.brokers(), settings.kafka.bootstrap_servers)
        try:
            differ = await planned(settings)
        except TopicsUnfit as problem:
            fix = "allow DescribeConfigs on the topics to this user"
            yield wrong(Part.TOPICS, str(problem).splitlines()[0], fix)
            return
        names = TopicNames(settings.topics.prefix)
        there = {spec.name for spec in topic_specs(names)} - {
            each.topic for each in differ if isinstance(each, Missing)
        }
        found = await tried(
            attempt,
            transactional_id=f"{settings.instance}.check",
            writes=sorted(there),
            reads=sorted(there & _read(names)),
            groups=(settings.instance, f"{settings.instance}-positions"),
        )
    scope = {"instance": settings.instance, "prefix": settings.topics.prefix}
    for line in checks_of_kafka.permissions(found, **scope, topics=len(there)):
        yield line
    for line in await _topics(settings, connection, differ):
        yield line


async def _topics(settings: Settings, connection: Connection, differ: list[Difference]) -> list[Line]:
    missing = [each for each in differ if isinstance(each, Missing)]
    make = settings.topics.manage == "create" and missing
    return [
        *checks_of_kafka.topics(
            differ,
            count=len(topic_specs(TopicNames(settings.topics.prefix))),
            replicas=settings.topics.replication_factor,
            manage=settings.topics.manage,
            refusals=await makeable(connection, missing) if make else (),
        )
    ]


def _read(names: TopicNames) -> set[str]:
    inputs = {*map(names.commands, CATALOGUE.entities), names.inbox, names.control}
    return inputs | {*map(names.state, CATALOGUE.followed), names.cursors, names.journal, names.accounts}


async def _webhooks(settings: Settings) -> Line:
    url = settings.webhooks.public_url
    if url is None:
        return fine(Part.WEBHOOKS, "none: webhooks.public_url is not set, deletes are found by sweeps alone")
    path = f"/webhooks/copper/{next(iter(settings.accounts), 'any')}"
    return webhooks(url, path, await reach(url, path, seconds=REACH_SECONDS))
