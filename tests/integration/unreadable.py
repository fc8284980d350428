"""A record that other clients can write and aiokafka cannot read: one of its headers has a name that is no UTF-8."""

import gzip
import struct

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

NAMELESS = "\ufffd" * 4
"""How the bridge reads the name."""

_NAME = "XXXX"
_LENGTH, _CRC, _CODEC, _RECORDS = 8, 17, 21, 61  # where these stand in a batch
_GZIP = 1


async def send_batch(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    values: list[bytes],
    *,
    unreadable: set[int],
    compressed: bool = False,
) -> None:
    """Write the values as one batch, those at `unreadable` places with such a header."""
    batch = producer.create_batch()
    for place, value in enumerate(values):
        headers = [(_NAME, b"1")] if place in unreadable else []
        batch.append(key=b"acme", value=value, timestamp=None, headers=headers)
    batch.close()
    raw = bytearray(batch._build().replace(_NAME.encode(), b"\xff\xfe\xff\xfe"))
    if compressed:
        raw[_RECORDS:] = gzip.compress(bytes(raw[_RECORDS:]))
        struct.pack_into(">h", raw, _CODEC, _GZIP)
        struct.pack_into(">i", raw, _LENGTH, len(raw) - _LENGTH - 4)
    struct.pack_into(">I", raw, _CRC, calc_crc32c(memoryview(raw)[_CODEC:]))
    batch._buffer = raw
    await (await producer.send_batch(batch, topic, partition=partition))
