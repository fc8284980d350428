"""A TCP proxy that reads Kafka's framing, before a broker of its own: it can hold an EndTxn and deliver it late.

A held request is delivered over a connection of its own: to the broker it is one that some socket's buffers give up
late, and nothing depends on when the client closes the old connection.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bridge.sandbox.kafka import local_kafka

PRODUCE = 0
END_TXN = 26
INFLEXIBLE = 3
"""EndTxn below this version answers with correlation id, throttle time and error code, nothing else."""


@dataclass
class Proxy:
    """`hold_next_commit` takes the next EndTxn out of the stream and puts it into the transaction after its own."""

    host: str
    port: int
    held: bytes | None = None
    late: list[int] = field(default_factory=list)
    """What the broker answered to held requests, as Kafka's error codes."""
    _armed: bool = False
    _links: set["asyncio.Task[None]"] = field(default_factory=set)

    def hold_next_commit(self) -> None:
        self._armed = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, for as long as both sides want it."""
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        back, there = await asyncio.open_connection(self.host, self.port)
        asked: deque[int] = deque()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._up(reader, there, asked), self._down(back, writer, asked))
        for end in (writer, there):
            end.close()

    async def close(self) -> None:
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _up(self, client: asyncio.StreamReader, broker: asyncio.StreamWriter, asked: deque[int]) -> None:
        while (frame := await read_frame(client)) is not None:
            api_key, version = struct.unpack_from(">hh", frame, 4)
            if api_key == END_TXN and self._armed:
                assert version < INFLEXIBLE, "aiokafka speaks another protocol now: read the answer's layout again"
                self._armed, self.held = False, frame
                continue
            asked.append(api_key)
            broker.write(frame)
            await broker.drain()
        broker.close()

    async def _down(self, broker: asyncio.StreamReader, client: asyncio.StreamWriter, asked: deque[int]) -> None:
        while (frame := await read_frame(broker)) is not None:
            if asked.popleft() == PRODUCE and self.held is not None:
                # the held request's own transaction has long had its last answer: this is one of the next
                held, self.held = self.held, None
                self.late.append(await self._deliver(held))
            client.write(frame)
            await client.drain()
        client.close()

    async def _deliver(self, request: bytes) -> int:
        back, there = await asyncio.open_connection(self.host, self.port)
        there.write(request)
        answer = await read_frame(back)
        there.close()
        assert answer is not None, "the broker hung up on the late request"
        (code,) = struct.unpack_from(">h", answer, 12)
        return int(code)


async def read_frame(stream: asyncio.StreamReader) -> bytes | None:
    """The next request or response with its size before it; None at the end."""
    try:
        size = await stream.readexactly(4)
        return size + await stream.readexactly(int.from_bytes(size, "big"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@asynccontextmanager
async def proxied_kafka() -> AsyncGenerator[tuple[str, Proxy]]:
    """A broker of its own, the address that leads to it through the proxy, and the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        async with local_kafka(proxy_ports=[port]) as kafka:
            host, _, behind = kafka.behind[0].rpartition(":")
            proxy = Proxy(host, int(behind))
            async with await asyncio.start_server(proxy.serve, sock=listening):
                yield f"127.0.0.1:{port}", proxy
                await proxy.close()
