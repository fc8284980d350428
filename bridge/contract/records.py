"""Kafka records as plain values: what was read and what is to be written.

Every side of the bridge speaks in these; only `bridge.kafka` turns them into and out of a client library's own types.
Knows no client library and no meaning of the bytes.
"""

import re
from dataclasses import dataclass

Headers = tuple[tuple[str, bytes], ...]

LARGEST_RECORD = 1_000_000
"""Bytes of a record, as `Outgoing.size` counts them, that every topic takes: the brokers' default limit for a batch is
1,048,588, and one record over it would fail a whole transaction."""

_POSITION = re.compile(r"(.+)-(\d{1,10})-(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record lies: its identity when nothing better names it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"

    @staticmethod
    def parse(text: str) -> "Position | None":
        """What `str` of a position gave; None for any other text."""
        match = _POSITION.fullmatch(text)
        return None if match is None else Position(match[1], int(match[2]), int(match[3]))


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as consumed. `timestamp_ms` is Unix milliseconds as the log has it."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    def header(self, name: str) -> bytes | None:
        """The first header of that name, or None: names compare exactly, as Kafka does."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written. `partition` None leaves the choice to the default partitioner (by key)."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def fits(self, largest: int = LARGEST_RECORD) -> bool:
        """Whether a topic takes it."""
        return self.size() <= largest

    def size(self) -> int:
        """Bytes this record takes in a request, roughly: key, value, headers and a fixed allowance for framing."""
        head = 0
        for name, value in self.headers:
            head += len(name) + len(value) + 4
        return len(self.key or b"") + len(self.value or b"") + head + 100
