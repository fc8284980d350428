"""Calling: one command, and the reply to it.

Called by `copper-bridge call` and the demo. Needs the default replies topic, where it looks for its correlation id.
"""

import asyncio

from bridge.client.connecting import consumer, incoming, places, producer, read_from
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
    known = await places(bootstrap_servers, commands, replies)
    async with consumer(bootstrap_servers) as ears, producer(bootstrap_servers) as mouth:
        read_from(ears, await ears.end_offsets(known[replies]))  # before anything is said, so nothing is missed
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
