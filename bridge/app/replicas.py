"""Which replica owns which shard, asked from beside a running bridge.

Called by `copper-bridge accounts ls`; the running bridge itself asks in `app.looking`.
"""

from bridge.contract.topics import TopicNames
from bridge.kafka.connection import Connection
from bridge.kafka.owners import owners
from bridge.settings import Settings


async def replicas(settings: Settings) -> dict[int, str] | None:
    """Shard to replica, by the settings of the bridge; None when it cannot be told at present, or to us."""
    connection = Connection(settings.kafka, f"{settings.instance}-accounts")
    return await owners(connection, group=settings.instance, topic=TopicNames(settings.topics.prefix).cursors)
