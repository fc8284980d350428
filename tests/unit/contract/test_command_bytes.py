"""Any bytes at all on a command topic: read or refused, answered at an address that may be written to, nothing raised.

A fuzzer of our own: seeded, so that a failure can be repeated, and quick enough for every run of the tests.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import orjson
import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, decode, forwarded
from bridge.contract.dead_letters import dead_letter
from bridge.contract.failures import Code
from bridge.contract.headers import FORWARDED
from bridge.contract.payloads import DEEPEST, LARGEST
from bridge.contract.records import Headers, Incoming, Position
from bridge.contract.replies import Reply, Status, failed, reply_record
from bridge.contract.signing import NO_KEYS, SIGNATURE, SIGNED, SigningKeys, sign_command
from bridge.contract.topics import TopicNames
from tests.fuzzing import WORDS, changed

INPUTS = 20_000
"""The nightly form has many times as many."""
NAMES = TopicNames()
SECRET = b"a-secret-of-16+-characters"
KEYS = (NO_KEYS, SigningKeys({"shop": SECRET}))
ALLOWED = ("copper.*.replies", "*.copper-replies")
REPLY_TOPIC = re.compile(r"copper\.[a-zA-Z0-9._-]+\.replies|[a-zA-Z0-9._-]{1,249}\.copper-replies")
"""Where an answer may go, said once more and otherwise."""
COMMANDS = [
    (row.entity, orjson.dumps({"action": row.name, **account, **row.example}))
    for row in CATALOGUE.actions
    for account in ({}, {"account": "acme"}, {"account": "nobody"})
]
VALUES = [value for _, value in COMMANDS]
TEXTS = [b"order-4711", b"2026-12-01T12:00:00Z", b"shop.copper-replies", b"copper.lead.replies", b"bulk", b"/shop",
         b"copper.company.update.v1", b"v1;shop;" + b"0" * 64, b"copper.company.commands-3-7", b"\0\0\0\2",
         b"payments.commands", b"copper.company.state", b"copper.bridge.journal", b"__consumer_offsets",
         b"..", b"a" * 300, b"\r\nx: y", b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59"]  # fmt: skip
PLAUSIBLE = [("idempotency-key", b"order-4711"), ("ce_id", b"4711"), ("ce_source", b"/shop"), ("lane", b"bulk"),
             ("deadline", b"2026-12-01T12:00:00Z"), ("reply-to", b"shop.copper-replies"), ("traceparent", b"00-1"),
             ("kafka_replyPartition", b"\0\0\0\2"), ("kafka_correlationId", b"\0\xff"),
             (FORWARDED, b"copper.company.commands-3-7"), (SIGNATURE, b"v1;shop;" + b"0" * 64)]  # fmt: skip
HEADER_NAMES = [*SIGNED, SIGNATURE, FORWARDED, "traceparent", "", "other", "\ufffd"]


def _value(random: Random, value: bytes) -> bytes | None:
    """A command as it is, changed, or no command at all."""
    chance = random.random()
    if chance < 0.02:
        return random.choice([None, b"", random.randbytes(random.randrange(64))])
    if chance < 0.3:
        return value
    return changed(random, value, VALUES)


def _header(random: Random) -> tuple[str, bytes]:
    if random.random() < 0.7:
        return random.choice(PLAUSIBLE)
    text = random.choice([*TEXTS, *WORDS])
    if random.random() < 0.3:
        text = changed(random, text, TEXTS) if text else random.randbytes(4)
    return random.choice(HEADER_NAMES), text


def _headers(random: Random, topic: str, key: bytes | None, value: bytes | None) -> Headers:
    headers = tuple(_header(random) for _ in range(random.choice([0, 0, 1, 1, 2, 2, 3, 6, 12])))
    if random.random() < 0.02:
        headers *= 120
    if random.random() < 0.2:
        whole = (("idempotency-key", b"c-1"), ("deadline", b"2026-12-01T12:00:00Z"), *headers)
        return (*whole, sign_command(topic, key, value, whole, key_id="shop", secret=SECRET))
    return headers


def inputs(random: Random, count: int) -> Iterator[tuple[str, Incoming]]:
    """Records on the topics of all entities."""
    entities = list(CATALOGUE.entities)
    for offset in range(count):
        entity, valid = random.choice(COMMANDS)
        entity = random.choice(entities) if random.random() < 0.1 else entity
        topic, key = NAMES.commands(entity), random.choice([None, b"", b"acme", b"\xff\0"])
        value = _value(random, valid)
        time_ms = random.choice([-1, 0, 1_790_000_402_123, 2**63 - 1, -(2**63)])
        yield entity, Incoming(Position(topic, 0, offset), key, value, _headers(random, topic, key, value), time_ms)


def _judge(entity: str, record: Incoming, keys: SigningKeys) -> str:
    found = decode(record, entity=entity, names=NAMES, accounts=["acme"], allowed_replies=ALLOWED, keys=keys)
    answer = failed(found.failure) if isinstance(found, Malformed) else Reply(Status.SUCCEEDED)
    reply = reply_record(found, answer, NAMES, 0)
    assert REPLY_TOPIC.fullmatch(reply.topic), reply.topic
    assert not reply.topic.startswith("copper.bridge.")
    assert reply.partition is None or 0 <= reply.partition < 2**31
    assert 0 < len(found.id) <= 600
    assert found.id.isprintable()
    assert orjson.loads(reply.value or b"")["command"]["id"] == found.id
    assert len(reply.value or b"") < 50_000
    if isinstance(found, Malformed):
        dead_letter(record, found.failure, 0, NAMES, entity, 0)
        return found.failure.code.value
    _carried_out(found, record, keys)
    return "command"


def _carried_out(command: Command, record: Incoming, keys: SigningKeys) -> None:
    """What gets through is what the contract says a command is."""
    assert CATALOGUE.action(command.entity, command.action)
    assert command.account == "acme"
    assert command.record_id is None or (type(command.record_id) is int and 0 < command.record_id < 2**63)
    assert len(record.value or b"") <= LARGEST
    assert _depth(command.data) < DEEPEST
    assert not keys.secrets or record.header(SIGNATURE) is not None
    again = forwarded(record, 3)
    moved = Incoming(Position(again.topic, 3, 9), again.key, again.value, again.headers, 0)
    found = decode(moved, entity=command.entity, names=NAMES, accounts=["acme"], allowed_replies=ALLOWED, keys=keys)
    assert isinstance(found, Command)
    assert (found.id, found.fingerprint, found.position) == (command.id, command.fingerprint, command.position)


def _depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(_depth, inner), default=0)


def _fuzz(seed: int, count: int) -> None:
    random, ends, began = Random(seed), Counter[str](), time.perf_counter()  # noqa: S311 - no secrets
    for number, (entity, record) in enumerate(inputs(random, count)):
        try:
            ends[_judge(entity, record, KEYS[number % 2])] += 1
        except Exception:
            print(f"seed {seed}, input {number}: {record!r}"[:3000])
            raise
    kinds = ", ".join(f"{end}: {times}" for end, times in ends.most_common())
    print(f"seed {seed}: {count} records tried, 0 raised, {time.perf_counter() - began:.1f} s; {kinds}")
    wanted = {"command", Code.MALFORMED, Code.UNKNOWN_ACTION, Code.UNKNOWN_ACCOUNT, Code.INVALID, Code.FORBIDDEN}
    assert ends.keys() == wanted, "the fuzzer does not come everywhere"


@pytest.mark.figures
def test_no_record_is_too_much_for_the_reader_of_commands() -> None:
    _fuzz(7, INPUTS)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_record_is_too_much_for_the_reader_of_commands_all_night(seed: int) -> None:
    _fuzz(seed, 25 * INPUTS)
