"""What all shards of a process share, made once by `app.running`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.app.observing import Observing
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.topics import TopicNames
from bridge.copper.client import CopperAccount
from bridge.kafka.addresses import Addresses
from bridge.kafka.connection import Connection
from bridge.kafka.intake import Intake
from bridge.kafka.membership import Membership
from bridge.kafka.watermarks import Watermarks
from bridge.settings import Settings

FOLLOWED = tuple(entity for entity in CATALOGUE.entities if CATALOGUE.kinds(entity))


def enabled(settings: Settings) -> list[str]:
    """The entities that are followed by these settings."""
    return [entity for entity in FOLLOWED if settings.events.of(entity).enabled]


@dataclass(frozen=True, slots=True)
class World:
    """What all shards share."""

    settings: Settings
    names: TopicNames
    cluster: str
    connection: Connection
    watermarks: Watermarks
    intake: Intake
    inputs: Sequence[str]
    membership: Membership
    addresses: Addresses
    accounts: Mapping[str, CopperAccount]
    observing: Observing
