"""Between aiokafka's records and the bridge's own."""

from typing import Any

from bridge.contract.records import Incoming, Position


def incoming(record: Any) -> Incoming:
    """An `aiokafka.ConsumerRecord` as a plain value."""
    return Incoming(
        position=Position(record.topic, record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=tuple((name, bytes(value or b"")) for name, value in record.headers),
        timestamp_ms=record.timestamp,
    )
