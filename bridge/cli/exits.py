"""Exit codes of the command line: promised to scripts, never given a second meaning."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. 2 (usage) and 130 (interrupted) come from the command line library itself."""

    OK = 0
    FAILED = 1
    SETTINGS = 3
    COPPER = 4
    KAFKA = 5
    COMMAND = 6
    NO_REPLY = 7
    DIFFERENT = 8
    UNKNOWN = 9
    EXPIRED = 10
