"""The topics that the settings want, compared and mended: for `topics plan` and `apply`, and for `check`."""

from collections.abc import Sequence

from bridge.contract.topics import TopicNames, topic_specs
from bridge.kafka.connection import Connection
from bridge.kafka.topics import compared, mend
from bridge.policy.topics import Difference, Unfit
from bridge.settings import Settings


async def planned(settings: Settings) -> list[Difference]:
    """What differs; changes nothing.

    Raises:
        TopicsUnfit: the settings of a topic cannot be read.
        KafkaUnreachable: no broker answers.
    """
    return await compared(
        Connection(settings.kafka, settings.instance),
        topic_specs(TopicNames(settings.topics.prefix)),
        partitions=settings.topics.partitions,
        replication_factor=settings.topics.replication_factor,
    )


async def applied(settings: Settings, differ: Sequence[Difference]) -> bool:
    """Make and alter; False, and nothing is done, when something cannot be mended so.

    Raises:
        TopicsUnfit: the cluster refuses.
        KafkaUnreachable: no broker answers.
    """
    if any(isinstance(each, Unfit) for each in differ):
        return False
    await mend(Connection(settings.kafka, settings.instance), differ)
    return True
