"""Dead letters: commands that can never be carried out, kept with the reason, and put back (contract.md §6).

Written by `bridge.shard.concluding`, read and put back by `bridge.client.dead_letters`. Key, value and headers of the
original stay untouched; what is added is what the tools of Kafka Connect's and Spring's families look for.
"""

import re
from dataclasses import dataclass, replace

import orjson

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.failures import Failure
from bridge.contract.headers import FORWARDED, read_heading
from bridge.contract.records import Headers, Incoming, Outgoing, Position
from bridge.contract.topics import TopicNames

REDRIVES = "copper-bridge-redrives"
TRUNCATED = "copper-bridge-truncated"
LARGEST_LETTER = 1_900_000
"""Dead letters keep the whole record and add to it: their topics take up to 2 MB."""

_ACCOUNT = re.compile(r"[a-z0-9-]{1,100}")
_COUNT = re.compile(r"\d{1,6}", re.ASCII)


def dead_letter(
    record: Incoming, failure: Failure, attempts: int, names: TopicNames, entity: str, shard: int
) -> Outgoing:
    """The record for the dead letters of `entity`. `attempts` counts the calls made to Copper for it.

    What would be too large for the topic goes without value and headers of its own, in the end without its key.
    """
    added = _described(record, failure, attempts)
    if record.header(REDRIVES) is None:
        added += ((REDRIVES, b"0"),)
    letter = Outgoing(names.dead_letters(entity), shard, record.key, record.value, record.headers + added)
    if not letter.fits(LARGEST_LETTER):
        count = str(_redrives(record)).encode()
        bare = (*_described(record, failure, attempts), (REDRIVES, count), (TRUNCATED, b"true"))
        letter = replace(letter, value=b"", headers=bare)
    return letter if letter.fits(LARGEST_LETTER) else replace(letter, key=None)


def _described(record: Incoming, failure: Failure, attempts: int) -> Headers:
    where = record.position
    message = f"{failure.title}: {failure.detail}".encode()
    return (
        ("__connect.errors.topic", where.topic.encode()),
        ("__connect.errors.partition", str(where.partition).encode()),
        ("__connect.errors.offset", str(where.offset).encode()),
        ("__connect.errors.exception.message", message),
        ("kafka_dlt-original-topic", where.topic.encode()),
        ("kafka_dlt-original-partition", where.partition.to_bytes(4, "big")),
        ("kafka_dlt-original-offset", where.offset.to_bytes(8, "big")),
        ("kafka_dlt-original-timestamp", record.timestamp_ms.to_bytes(8, "big", signed=True)),
        ("kafka_dlt-exception-message", message),
        ("copper-bridge-error", failure.code.encode()),
        ("copper-bridge-attempts", str(attempts).encode()),
    )


_ADDED = frozenset(
    {
        *(f"__connect.errors.{part}" for part in ("topic", "partition", "offset", "exception.message")),
        *(f"kafka_dlt-original-{part}" for part in ("topic", "partition", "offset", "timestamp")),
        *("kafka_dlt-exception-message", "copper-bridge-error", "copper-bridge-attempts"),
    }
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in a dead-letter topic, or among the parked."""

    record: Incoming
    entity: str
    command: Incoming
    """The command as it lay last, to the byte, unless the letter is truncated."""
    command_id: str
    first: Position
    """Where the command lay first: its identity, if it has no id of its own."""
    code: str
    message: str
    redrives: int
    """How often it was put back before."""

    @property
    def position(self) -> Position:
        """Where the letter lies."""
        return self.record.position

    @property
    def account(self) -> str | None:
        """The account that the command names, if it can be read."""
        return account_named(self.command.value)

    @property
    def truncated(self) -> bool:
        """The command was too large to be kept."""
        return self.record.header(TRUNCATED) is not None


def account_named(value: bytes | None) -> str | None:
    """The account that a command's value names; None when it names none, or is no command."""
    try:
        command = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    name = command.get("account") if isinstance(command, dict) else None
    return name if isinstance(name, str) and _ACCOUNT.fullmatch(name) else None


def read_letter(record: Incoming, names: TopicNames) -> Letter | None:
    """The letter of a record; None for anything that is no command of this bridge with the reasons added."""
    # A command may come with such headers of its own: what the bridge added stands behind them.
    added = {name: value for name, value in record.headers if name in _ADDED}
    entities = {names.commands(entity): entity for entity in CATALOGUE.entities}
    topic = _text(added.get("kafka_dlt-original-topic"))
    if topic not in entities or added.keys() != _ADDED:
        return None
    position = Position(
        topic, _whole(added["kafka_dlt-original-partition"]), _whole(added["kafka_dlt-original-offset"])
    )
    if min(position.partition, position.offset) < 0:
        return None
    stamp = _whole(added["kafka_dlt-original-timestamp"])
    command = Incoming(position, record.key, record.value, _own(record.headers), stamp)
    heading = read_heading(command, entities[topic], names, ())
    return Letter(
        record=record,
        entity=entities[topic],
        command=command,
        command_id=heading.id,
        first=heading.position,
        code=_text(added["copper-bridge-error"]),
        message=_text(added["kafka_dlt-exception-message"]),
        redrives=_redrives(record),
    )


def redriven(letter: Letter, value: bytes | None = None) -> Outgoing:
    """The command to be put back where it lay, with a mended value if one is given.

    It keeps its identity: put back twice, it is the same command twice, and carried out once.
    """
    where, replaced = letter.command.position, {FORWARDED, REDRIVES}
    headers = (
        *(header for header in letter.command.headers if header[0] not in replaced),
        (FORWARDED, str(letter.first).encode()),
        (REDRIVES, str(letter.redrives + 1).encode()),
    )
    mended = letter.command.value if value is None else value
    return Outgoing(where.topic, where.partition, letter.command.key, mended, headers)


def parked(letter: Letter, names: TopicNames) -> Outgoing:
    """The letter as it is, for the topic of those that only a person can help."""
    record = letter.record
    return Outgoing(names.parked, record.position.partition, record.key, record.value, record.headers)


def _own(headers: Headers) -> Headers:
    """The command's own headers: those of a letter without the last of each name that was added."""
    kept: list[tuple[str, bytes]] = []
    left: frozenset[str] = _ADDED | ({REDRIVES} if headers[-1][0] in {REDRIVES, TRUNCATED} else set())
    for name, value in reversed(headers):
        if name in left:
            left -= {name}
        else:
            kept.append((name, value))
    return tuple(reversed(kept))


def _redrives(record: Incoming) -> int:
    text = _text(record.header(REDRIVES))
    return int(text) if _COUNT.fullmatch(text) else 0


def _whole(raw: bytes) -> int:
    return int.from_bytes(raw[:8], "big", signed=True)


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
