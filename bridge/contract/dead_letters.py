"""Dead letters: commands that can never be carried out, kept with the reason (contract.md §6).

Called by `bridge.shard.executing`. Key, value and headers of the original stay untouched; what is added is what the
tools of Kafka Connect's and Spring's families look for.
"""

from bridge.contract.failures import Failure
from bridge.contract.records import Headers, Incoming, Outgoing
from bridge.contract.topics import TopicNames

REDRIVES = "copper-bridge-redrives"


def dead_letter(
    record: Incoming, failure: Failure, attempts: int, names: TopicNames, entity: str, shard: int
) -> Outgoing:
    """The record for the dead letters of `entity`. `attempts` counts the calls made to Copper for it."""
    headers = record.headers + _described(record, failure, attempts)
    if record.header(REDRIVES) is None:
        headers += ((REDRIVES, b"0"),)
    return Outgoing(names.dead_letters(entity), shard, record.key, record.value, headers)


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
