"""Calling: one command, and the reply to it.

Called by `copper-bridge call` and the demo. Needs the default replies topic, where it looks for its correlation id.
"""

import asyncio

from bridge.client.connecting import KafkaTrouble, consumer, directory, incoming, partitions, producer
from bridge.contract.headers import CORRELATION
from bridge.contract.records import Headers, Incoming


async def call(
    bootstrap_servers: str,
    *,
    commands: str,
    replies: str,
    key: bytes | None,
    value: bytes,
    headers: Headers,
    within_s: float,
) -> Incoming | None:
    """Put a command on topic `commands` and give the reply from topic `replies`, or None when none came in time.

    `value` and `headers` are `bridge.contract.commands.encode`'s; the reply is known by their correlation id.
    `within_s` counts from the moment the command is written. Raises `KafkaTrouble`.
    """
    async with directory(bootstrap_servers) as topics:
        known = await partitions(topics)
    missing = [topic for topic in (commands, replies) if topic not in known]
    if missing:
        raise KafkaTrouble(f"no topic {' and no '.join(missing)}; does a bridge run on this Kafka, with this prefix?")
    async with consumer(bootstrap_servers) as ears, producer(bootstrap_servers) as mouth:
        ends = await ears.end_offsets(known[replies])
        ears.assign(list(ends))
        for partition, offset in ends.items():
            ears.seek(partition, offset)  # fixed before anything is said, so nothing is missed
        await mouth.send_and_wait(commands, value, key=key, headers=list(headers))
        wanted = {header for header in headers if header[0] in CORRELATION}
        try:
            async with asyncio.timeout(within_s):
                async for record in ears:
                    if wanted <= set(record.headers):
                        return incoming(record)
        except TimeoutError:
            return None
    return None
