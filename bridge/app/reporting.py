"""Reporting: the status of this process, put together from where its parts are.

Called by `app.running` for the internal port; what is shown of it is decided by `app.status`.
"""

import socket
import time
from collections.abc import Mapping
from typing import Any

import bridge
from bridge.app.observing import Observing
from bridge.app.shards import Shards
from bridge.app.status import Process, status
from bridge.app.world import World, intervals, replica_of
from bridge.contract.accounts import Standing
from bridge.settings import Settings


def process_of(settings: Settings) -> Process:
    """What stays the same of it."""
    return Process(
        instance=settings.instance,
        host=socket.gethostname(),
        version=bridge.__version__,
        started_at=time.time(),
        kafka=settings.kafka.bootstrap_servers,
        prefix=settings.topics.prefix,
        replica=replica_of(settings),
    )


def status_before(process: Process, observing: Observing) -> Mapping[str, Any]:
    """The status while Kafka is still waited for."""
    return status(
        process,
        now=time.time(),
        ready=False,
        owned=(),
        opened=(),
        owners={},
        partitions=0,
        accounts={},
        standing=lambda _account: Standing.CONNECTED,
        entities={},
        limit=0,
        observing=observing,
    )


def status_of(process: Process, world: World, shards: Shards) -> Mapping[str, Any]:
    """The status at work."""
    settings = world.settings
    return status(
        process,
        now=time.time(),
        ready=world.health.ready().good,
        owned=world.membership.owned,
        opened=shards.open,
        owners=world.owners,
        partitions=settings.topics.partitions,
        accounts=world.accounts.served,
        standing=world.accounts.standing,
        entities=intervals(settings),
        limit=settings.copper.requests_per_minute,
        observing=world.observing,
    )
