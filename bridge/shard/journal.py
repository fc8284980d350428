"""The journal: what was attempted for a command and how it ended, as records of the journal topic.

An attempt is committed before the call that may have an effect; the result together with the reply. Read when a command
comes again: a result is replayed, an attempt without one is in doubt. Knows the stored form, nothing of Copper.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from bridge.contract.commands import Command
from bridge.contract.records import Outgoing
from bridge.contract.replies import Reply, from_stored, stored
from bridge.contract.topics import TopicNames
from bridge.shard.memory import View

VERSION = 1


@dataclass(frozen=True, slots=True)
class Attempted:
    """A call was about to be made. `before` is the record's content hash then (16 hex), None when it was not known.

    `at` is Unix seconds by the bridge's clock.
    """

    fingerprint: str
    before: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The command was answered so."""

    fingerprint: str
    reply: Reply


def journal_key(command: Command) -> str:
    """`<account>/<command id>`."""
    return f"{command.account}/{command.id}"


def read_journal(view: View, command: Command) -> Attempted | Finished | None:
    """What the journal holds under the command's id."""
    entry = view.journal(journal_key(command))
    if entry is None:
        return None
    if entry["state"] == "attempt":
        return Attempted(entry["fingerprint"], entry["before"], entry["at"])
    return Finished(entry["fingerprint"], from_stored(entry["reply"]))


def attempt_record(names: TopicNames, shard: int, command: Command, before: str | None, at: float) -> Outgoing:
    """That a call is about to be made."""
    entry = {"state": "attempt", "action": f"{command.entity}.{command.action}", "before": before, "at": at}
    return _record(names, shard, command, entry)


def finished_record(names: TopicNames, shard: int, command: Command, reply: Reply) -> Outgoing:
    """That the command was answered."""
    return _record(names, shard, command, {"state": "done", "reply": stored(reply)})


def _record(names: TopicNames, shard: int, command: Command, entry: dict[str, Any]) -> Outgoing:
    value = {"v": VERSION, "fingerprint": command.fingerprint, **entry}
    return Outgoing(names.journal, shard, journal_key(command).encode(), orjson.dumps(value, default=dict))
