"""Any bytes at all on a command topic: read or refused, answered at an address that may be written to, nothing raised.

A fuzzer of our own: seeded, so that a failure can be repeated, and quick enough for every run of the tests.
"""

import re
import time
from collections import Counter
from random import Random

import orjson
import pytest

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command, Malformed, decode, forwarded
from bridge.contract.dead_letters import dead_letter
from bridge.contract.failures import Code
from bridge.contract.payloads import DEEPEST, LARGEST
from bridge.contract.records import Incoming, Position
from bridge.contract.replies import Reply, Status, failed, reply_record
from bridge.contract.signing import NO_KEYS, SIGNATURE, SigningKeys
from bridge.contract.topics import TopicNames
from tests.odd_commands import SECRET, odd_commands

INPUTS = 20_000
"""The nightly form has many times as many."""
NAMES = TopicNames()
KEYS = (NO_KEYS, SigningKeys({"shop": SECRET}))
ALLOWED = ("copper.*.replies", "*.copper-replies")
REPLY_TOPIC = re.compile(r"copper\.[a-zA-Z0-9._-]*\.replies|[a-zA-Z0-9._-]*\.copper-replies")
"""Where an answer may go, said once more and otherwise."""


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
    for number, (entity, record) in enumerate(odd_commands(random, count, NAMES)):
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
