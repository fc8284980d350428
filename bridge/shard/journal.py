"""The journal: what was attempted for a command and how it ended, as records of the journal topic.

An attempt is committed before the call that may have an effect; the result together with the reply. Read when a command
comes again: a result is replayed, an attempt without one is in doubt. Knows nothing of Copper.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from bridge.contract.commands import Command, Malformed
from bridge.contract.journal import Attempted, Finished, Settled, Void, journal_key, read_entry
from bridge.contract.records import Outgoing
from bridge.contract.replies import Reply, Status, stored
from bridge.contract.topics import TopicNames
from bridge.policy.settling import Doubt, Key
from bridge.shard.memory import MARK, View

VERSION = 1
_ATTEMPTED = "attempt"
"""The mark of an entry without a result."""


def entry_key(command: Command) -> str:
    """The key of the command's entry."""
    return journal_key(command.account, command.id)


def read_journal(view: View, command: Command) -> Attempted | Void | Finished | None:
    """What the journal holds under the command's id."""
    entry = view.journal(entry_key(command))
    return None if entry is None else read_entry(entry)


def attempted_before(view: View, refused: Malformed) -> bool:
    """Whether what is refused now was attempted, under the settings of before, and has no result."""
    entry = None if refused.account is None else view.journal(journal_key(refused.account, refused.id))
    attempted = None if entry is None else read_entry(entry)
    return isinstance(attempted, Attempted) and attempted.position == str(refused.position)


def taken(view: View, command: Command) -> bool:
    """Whether the command's id is that of another one, which asks something else."""
    entry = read_journal(view, command)
    return entry is not None and entry.fingerprint != command.fingerprint


def attempt_record(names: TopicNames, shard: int, command: Command, at: float, since: float) -> Outgoing:
    """That a call is about to be made."""
    entry = {"state": "attempt", "at": at, "since": since, "position": str(command.position)}
    return _record(names, shard, command, entry, _ATTEMPTED)


def void_record(names: TopicNames, shard: int, command: Command) -> Outgoing:
    """That the attempt before it provably had no effect. Whoever else comes with the id is refused all the same."""
    return _record(names, shard, command, {"state": "void"})


def attempted_since(view: View, at: float) -> bool:
    """Whether a command that was first attempted after that moment, Unix seconds, has no result."""
    return any(entry["at"] > at for _, entry in view.marked(_ATTEMPTED))


def finished_record(
    names: TopicNames, shard: int, command: Command, reply: Reply, at: float, doubt: Doubt | None
) -> Outgoing:
    """That the command was answered; with `doubt`, that a create was answered `unknown` and may yet be seen."""
    entry: dict[str, Any] = {"state": "done", "at": at, "reply": stored(reply)}
    mark = _made(command, reply)
    if doubt is not None:
        key = doubt.key and [doubt.key.definition_id, doubt.key.number]
        entry |= {"doubt": {"since": doubt.since, "sent": doubt.sent, "key": key}}
        mark = doubted_mark(command.account, command.entity)
    return _record(names, shard, command, entry, mark)


def settled_record(
    names: TopicNames, shard: int, key: str, entry: Mapping[str, Any], entity: str, settled: Settled
) -> Outgoing:
    """The entry of an `unknown` create of such an entity, with what was seen of it later."""
    mark = made_mark(key.partition("/")[0], entity, settled.record_id)
    value = {name: part for name, part in entry.items() if name != "doubt"} | {"settled": asdict(settled)}
    return Outgoing(names.journal, shard, key.encode(), orjson.dumps(value), ((MARK, mark.encode()),))


def made_mark(account: str, entity: str, record_id: int) -> str:
    """The mark of an entry whose command created that record."""
    return f"made {account}/{entity}/{record_id}"


def doubted_mark(account: str, entity: str) -> str:
    """The mark of an entry whose create of such a record is not known to have come about."""
    return f"doubt {account}/{entity}"


def read_doubt(entity: str, entry: Mapping[str, Any]) -> Doubt:
    """What the entry of an `unknown` create keeps for a later sighting."""
    kept = entry["doubt"]
    key = None if kept["key"] is None else Key(*kept["key"])
    return Doubt(entity, "create", kept["sent"], kept["since"], key)


def _made(command: Command, reply: Reply) -> str | None:
    if command.action not in {"create", "upsert"} or reply.status is not Status.SUCCEEDED or reply.record is None:
        return None
    return made_mark(command.account, command.entity, reply.record["id"])


def _record(
    names: TopicNames, shard: int, command: Command, entry: dict[str, Any], mark: str | None = None
) -> Outgoing:
    value = {"v": VERSION, "fingerprint": command.fingerprint, "action": f"{command.entity}.{command.action}", **entry}
    headers = () if mark is None else ((MARK, mark.encode()),)
    return Outgoing(names.journal, shard, entry_key(command).encode(), orjson.dumps(value, default=dict), headers)
