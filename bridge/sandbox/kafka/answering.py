"""Whether a broker answers: the sandbox's only idea of "ready". Called by every way to have a Kafka."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

_PATIENCE_S = 5.0


async def brokers(address: str) -> int:
    """How many brokers the cluster behind `host:port` has, asked of itself; 0 when nobody answers yet."""
    if not await _listens(address):
        return 0  # asked first because the client complains loudly about a refused connection
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=int(_PATIENCE_S * 1000))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await admin.start()
            return len((await admin.describe_cluster())["brokers"])
    except (KafkaError, TimeoutError):
        return 0
    finally:
        await admin.close()


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
