"""Records as they may lie on command topics: commands, commands with something wrong, and anything else."""

from collections.abc import Iterator, Sequence
from random import Random

import orjson

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.headers import FORWARDED
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.signing import SIGNATURE, SIGNED, sign_command
from bridge.contract.topics import TopicNames
from tests.fuzzing import WORDS, changed

SECRET = b"a-secret-of-16+-characters"
LATE = b"2020-01-01T00:00:00Z"
TEXTS = [b"order-4711", LATE, b"shop.copper-replies", b"copper.lead.replies", b"bulk", b"/shop",
         b"copper.company.update.v1", b"v1;shop;" + b"0" * 64, b"copper.company.commands-3-7", b"\0\0\0\2",
         b"payments.commands", b"copper.company.state", b"copper.bridge.journal", b"__consumer_offsets",
         b"..", b"a" * 300, b"\r\nx: y", b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59"]  # fmt: skip
PLAUSIBLE = [("idempotency-key", b"order-4711"), ("ce_id", b"4711"), ("ce_source", b"/shop"), ("lane", b"bulk"),
             ("deadline", LATE), ("reply-to", b"shop.copper-replies"), ("traceparent", b"00-1"),
             ("kafka_replyPartition", b"\0\0\0\2"), ("kafka_correlationId", b"\0\xff"),
             (FORWARDED, b"copper.company.commands-3-7"), (SIGNATURE, b"v1;shop;" + b"0" * 64)]  # fmt: skip
TIMES_MS = [-1, 0, 1_790_000_402_123, 2**63 - 1, -(2**63)]
HEADER_NAMES = [*SIGNED, SIGNATURE, FORWARDED, "traceparent", "", "other", "\ufffd"]


def odd_commands(
    random: Random, count: int, names: TopicNames, accounts: Sequence[str] = ("acme",), *, late: float = 0.0
) -> Iterator[tuple[str, Incoming]]:
    """Records with their entities; of so many as `late` says, the deadline has passed, if it can be read."""
    valid = [(row.entity, value) for row in CATALOGUE.actions for value in _valid(row, accounts)]
    values, entities = [value for _, value in valid], list(CATALOGUE.entities)
    for offset in range(count):
        entity, value = random.choice(valid)
        entity = random.choice(entities) if random.random() < 0.1 else entity
        topic, key = names.commands(entity), random.choice([None, b"", accounts[0].encode(), b"\xff\0"])
        odd, due = _value(random, value, values), random.random() < late
        headers = _headers(random, topic, key, odd, (("ce_expirytime", LATE),) if due else ())
        yield entity, Incoming(Position(topic, 0, offset), key, odd, headers, random.choice(TIMES_MS))


def _valid(action: Action, accounts: Sequence[str]) -> list[bytes]:
    named = [{}, {"account": "nobody"}, *({"account": account} for account in accounts)]
    return [orjson.dumps({"action": action.name, **account, **action.example}) for account in named]


def _value(random: Random, value: bytes, values: Sequence[bytes]) -> bytes | None:
    """A command as it is, changed, or no command at all."""
    chance = random.random()
    if chance < 0.02:
        return random.choice([None, b"", random.randbytes(random.randrange(64))])
    if chance < 0.3:
        return value
    return changed(random, value, values)


def _header(random: Random) -> tuple[str, bytes]:
    if random.random() < 0.7:
        return random.choice(PLAUSIBLE)
    text = random.choice([*TEXTS, *WORDS])
    if random.random() < 0.3:
        text = changed(random, text, TEXTS) if text else random.randbytes(4)
    return random.choice(HEADER_NAMES), text


def _headers(random: Random, topic: str, key: bytes | None, value: bytes | None, first: Headers) -> Headers:
    headers = (*first, *(_header(random) for _ in range(random.choice([0, 0, 1, 1, 2, 2, 3, 6, 12]))))
    if random.random() < 0.02:
        headers *= 120
    if random.random() < 0.2:
        whole = (("idempotency-key", b"c-1"), ("deadline", LATE), *headers)
        return (*whole, sign_command(topic, key, value, whole, key_id="shop", secret=SECRET))
    return headers
