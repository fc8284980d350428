"""Records that aiokafka cannot read: a header may have any bytes for its name, and aiokafka 0.14 insists on UTF-8.

It would raise at such a record again and again: whoever may write to a command topic could stop the bridge with one.
Importing this makes every consumer of the process read it, with U+FFFD for what is no UTF-8. Imported by `connection`.
Knows private parts of aiokafka, which is pinned; a test writes such records.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = slice(8, 12)
"""Where a batch says how long it is from there on."""


class _Text(bytearray):
    """Bytes that can always be read as text, and so can their parts."""

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        part = super().__getitem__(key)
        return _Text(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "replace")


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc] # it has no types
    """The slow reader that aiokafka has for where it could not be compiled, over such bytes."""

    _buffer: Any

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer = _Text(self._buffer)
        return self


class _Either:
    """A batch, read fast, or slowly if that fails."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (UnicodeDecodeError, CorruptRecordException):
            return iter(_Batch(self._raw))


class _Records:
    """aiokafka's `MemoryRecords`: the batches of one answer to a fetch."""

    def __init__(self, raw: bytes) -> None:
        self._fast = MemoryRecords(raw)
        self._raw = memoryview(raw)
        self.has_next = self._fast.has_next
        self.size_in_bytes = self._fast.size_in_bytes

    def next_batch(self) -> Any:
        batch = self._fast.next_batch()
        length = _LENGTH.stop + int.from_bytes(self._raw[_LENGTH], "big")
        raw, self._raw = self._raw[:length], self._raw[length:]
        return None if batch is None else _Either(batch, raw)


fetcher.MemoryRecords = _Records
