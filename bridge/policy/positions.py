"""Positions: how far one input partition has been worked off, exactly.

Called by the flows that consume commands and notices; kept as a record of the cursors topic in the transaction that
finishes a record. Offsets may have gaps (aborted records, transaction markers), so only what was delivered counts: the
next offset is the lowest delivered and unfinished one, and what is finished above it is remembered.
"""

from collections.abc import Mapping
from typing import Any


class Positions:
    """The position of one partition. `next` is where to read from after a restart."""

    def __init__(self, next_offset: int = 0, finished: frozenset[int] = frozenset()) -> None:
        self._end = next_offset
        self._finished = set(finished)
        self._open: dict[int, None] = {}

    @classmethod
    def decode(cls, kept: Mapping[str, Any] | None) -> "Positions":
        """From what `encode` gave; None is a partition never read."""
        return cls() if kept is None else cls(int(kept["next"]), frozenset(kept["finished"]))

    def encode(self) -> dict[str, Any]:
        """As JSON: the next offset and the finished ones from there on."""
        first = self.next
        return {"next": first, "finished": sorted(offset for offset in self._finished if offset >= first)}

    @property
    def next(self) -> int:
        """The lowest offset that may still have to be worked on."""
        return next(iter(self._open), self._end)

    def already_finished(self, offset: int) -> bool:
        """Whether a delivered record was finished before a restart; then it is not to be worked on again."""
        return offset in self._finished or offset < self.next

    def deliver(self, offset: int) -> None:
        """A record was taken in. Offsets come in order."""
        if offset < self._end and self._open:
            raise ValueError(f"offset {offset} was delivered after {self._end - 1}")
        self._open[offset] = None
        self._end = max(self._end, offset + 1)

    def finish(self, offset: int) -> None:
        """A delivered record is done with."""
        del self._open[offset]
        self._finished.add(offset)
        while not self._open and self._end in self._finished:  # since before a restart: it is not delivered again
            self._end += 1
        first = self.next
        self._finished = {each for each in self._finished if each >= first}  # `first` itself may be known from before
