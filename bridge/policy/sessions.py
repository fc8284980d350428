"""Shard sessions: why one ends, and how long to wait before the next.

Shared by `bridge.kafka` (which finds out) and `bridge.shard` (which starts again).
"""

from enum import StrEnum

FENCED_PAUSE_SECONDS = 1.5
"""After being fenced: several heartbeats, so that the assignment is known before we fence again. Otherwise a zombie and
the owner fence each other in turn."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0


class Ending(StrEnum):
    """Why a session is over."""

    FENCED = "fenced"  # another producer of the same transactional id has started
    IN_DOUBT = "in-doubt"  # a commit failed, timed out or was cancelled
    FOREIGN = "foreign"  # another owner wrote to the shard while the producer was renewed
    UNSETTLED = "unsettled"  # an open transaction on a changelog partition after the fence
    CUT_OFF = "cut-off"  # an input topic ends before the position we had in it: it was deleted and made again
    LOST = "lost"  # the shard is assigned to somebody else
    BROKEN = "broken"  # anything unexpected
    STOPPED = "stopped"  # asked to stop


class SessionEnded(Exception):
    """The shard session can write no more; what was being written may or may not have been committed."""

    def __init__(self, ending: Ending, detail: str) -> None:
        super().__init__(f"{ending}: {detail}")
        self.ending = ending


class RecordTooLarge(Exception):
    """A record that no broker would take; refused before it could fail a whole transaction."""


def pause_after(ending: Ending, in_a_row: int) -> float:
    """Seconds before the next session, for the nth session in a row that ended without having been open for long."""
    if ending is Ending.FENCED:
        return FENCED_PAUSE_SECONDS
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(in_a_row, 10))
