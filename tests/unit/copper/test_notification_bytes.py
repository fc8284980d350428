"""Any bytes at all: what a stranger may send, and what may stand in the inbox, is read or refused, and leaves nothing.

A fuzzer of our own: seeded, so that a failure can be repeated, and quick enough for every run of the tests.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import orjson
import pytest

from bridge.contract.notices import LARGEST_ID, Notice, notice_record, read_notice
from bridge.contract.records import Incoming, Position
from bridge.contract.topics import TopicNames
from bridge.copper.notifications import EVENTS, MAX_IDS, Notification, Refusal, read
from tests import fuzzing

INPUTS = 50_000
"""Of each kind; the nightly form has many times as many."""
GROWTH_BYTES = 8 * 1024 * 1024
WHEN = "2026-09-21T14:20:02.123Z"
BODIES = [
    orjson.dumps(
        {"ids": [66120934], "type": "company", "event": "delete", "timestamp": WHEN, "subscription_id": 560901}
    ),
    orjson.dumps({"ids": [*range(1, 31)], "type": "task", "event": "new", "timestamp": WHEN, "subscription_id": 1}),
    orjson.dumps(
        {
            "ids": [94901210],
            "type": "lead",
            "event": "update",
            "timestamp": WHEN,
            "subscription_id": 560902,
            "updated_attributes": {"status": ["New", "Contacted"], "custom_fields": {"50311": ["alt", "nöu"]}},
            "hook_key": "k1",
        }
    ),
]
NOTICES = [
    notice_record(Notice("acme", "lead", "updated", (1, 2, LARGEST_ID), 1_790_000_402_123), TopicNames(), 4).value
    or b""
]
WORDS = [*fuzzing.WORDS, b'"ids":[7],', b'"timestamp":5,', b'"type":{"type":"lead"},',
         b'"9999-12-31T23:59:59-23:59"', b'"0001-01-01T00:00Z"']  # fmt: skip


def inputs(random: Random, seeds: list[bytes], count: int) -> Iterator[bytes]:
    """Valid bodies, each changed once to three times."""
    for _ in range(count):
        yield fuzzing.changed(random, random.choice(seeds), BODIES + NOTICES, WORDS)


def _reads(body: bytes) -> str:
    found = read(body)
    if isinstance(found, Refusal):
        return found.reason
    assert isinstance(found, Notification)
    assert found.event in EVENTS.values()
    assert 0 < len(found.ids) <= MAX_IDS
    assert all(type(each) is int and 0 < each <= LARGEST_ID for each in (*found.ids, found.subscription_id))
    return "read"


def _notices(value: bytes) -> str:
    found = read_notice(Incoming(Position("inbox", 0, 0), None, value, (), 0))
    if found is None:
        return "refused"
    assert found.ids
    assert all(type(each) is int and 0 < each <= LARGEST_ID for each in found.ids)
    return "read"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _fuzz(seed: int, count: int) -> None:
    """Try so many inputs of each kind; nothing is raised, and memory stays as it is after the first tenth."""
    for judge, seeds in ((_reads, BODIES), (_notices, NOTICES)):
        random, ends = Random(seed), Counter[str]()  # noqa: S311 - no secrets
        began, before = time.perf_counter(), 0
        for number, body in enumerate(inputs(random, seeds, count)):
            if number == count // 10:
                before = _resident()
            ends[judge(body)] += 1
        grown = _resident() - before
        what = "notifications" if judge is _reads else "inbox records"
        kinds = ", ".join(f"{end}: {times}" for end, times in ends.most_common())
        print(f"{what}: {count} inputs tried, 0 uncaught, {grown / 1024:+.0f} kB, {time.perf_counter() - began:.1f} s")
        print(f"{what}: {kinds}")
        assert ends["read"], "the fuzzer makes nothing that gets through"
        assert ends.total() == count
        assert grown < GROWTH_BYTES


@pytest.mark.figures
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells memory by Linux' /proc")
def test_no_bytes_are_too_much_for_the_readers() -> None:
    _fuzz(7, INPUTS)


@pytest.mark.figures
@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells memory by Linux' /proc")
@pytest.mark.parametrize("seed", [1, 2])
def test_no_bytes_are_too_much_for_the_readers_all_night(seed: int) -> None:
    _fuzz(seed, 20 * INPUTS)
