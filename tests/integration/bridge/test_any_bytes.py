"""Any bytes at all on the command topics of a whole bridge: every record passed and answered, good commands too."""

import time
from collections import Counter
from collections.abc import AsyncGenerator
from itertools import count, islice
from pathlib import Path
from random import Random

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Incoming
from bridge.contract.sharding import shard_of
from tests.integration.bridge.stage import SHARDS, Stage, stage
from tests.integration.unreadable import send_batch
from tests.odd_commands import odd_commands

SEED = 7
RECORDS = 3_000
ROUNDS = 3
"""How often a good command lies on every partition of every command topic."""
NAMES = (f"f{number:02}" for number in count(1))
ACCOUNTS = tuple(next(name for name in NAMES if shard_of(name, SHARDS) == shard) for shard in range(SHARDS))
SECONDS = 240.0
"""So long may a good command wait for its budget behind the odd ones that are commands after all."""


@pytest.fixture
async def bridge(bootstrap_servers: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with stage(bootstrap_servers, tmp_path, ACCOUNTS, events={"poll_every": "10m"}) as play:
        yield play


def good(play: Stage, entity: str, number: int) -> tuple[bytes, tuple[str, bytes]]:
    """A command that a well-meaning caller sends, and the header that its reply is known by."""
    account = ACCOUNTS[number % SHARDS]
    asked = {"action": "search", "data": {"page_size": 1}}
    if entity == "activity":
        parent = {"type": "company", "id": play.account(account).create("company", {"name": f"Good {number}"})["id"]}
        asked = {"action": "create", "data": {"type": {"category": "user", "id": 0}, "parent": parent, "details": "x"}}
    return orjson.dumps({**asked, "account": account}), ("correlation-id", f"good-{number}".encode())


async def put(producer: AIOKafkaProducer, record: Incoming, partition: int) -> None:
    """Write it as it is; the plain way there is no record without key and value."""
    batch = producer.create_batch()
    batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
    await producer.send_batch(batch, record.position.topic, partition=partition)


async def produced(play: Stage, random: Random) -> tuple[Counter[str], list[tuple[str, bytes]]]:
    """Write odd records and good commands; how many of all kinds by entity, and who waits for a reply."""
    odd, entities = iter(odd_commands(random, RECORDS, play.names, ACCOUNTS, late=0.9)), list(CATALOGUE.entities)
    rounds, sent, waiting = ROUNDS * SHARDS * len(entities), Counter[str](), []
    async with AIOKafkaProducer(bootstrap_servers=play.servers, max_request_size=2_000_000) as producer:
        for number in range(rounds):
            for entity, record in islice(odd, RECORDS // rounds):
                await put(producer, record, random.randrange(SHARDS))
                sent[entity] += 1
            entity, partition = entities[number % len(entities)], number // len(entities) % SHARDS
            topic, (value, header) = play.names.commands(entity), good(play, entity, number)
            await send_batch(producer, topic, partition, [b"?", b"{}"], unreadable={1})
            await producer.send(topic, value, None, partition, headers=[header])
            sent[entity] += 3
            waiting.append((entity, header[1]))
        await producer.flush()
    return sent, waiting


def not_passed(play: Stage) -> list[tuple[str, int]]:
    """The partitions of command topics in which a record lies behind the bridge's position."""
    behind = []
    for topic in map(play.names.commands, CATALOGUE.entities):
        kept = [each for each in play.log.of(play.names.cursors) if each.key == f"position/{topic}".encode()]
        positions = {each.partition: int(each.value["next"]) for each in kept}
        behind += [
            (topic, each.partition) for each in play.log.of(topic) if each.offset >= positions.get(each.partition, 0)
        ]
    return behind


@pytest.mark.figures
async def test_no_record_stops_a_partition_and_every_one_is_answered(bridge: Stage) -> None:
    began = time.monotonic()
    sent, waiting = await produced(bridge, Random(SEED))  # noqa: S311 - no secrets
    for entity, correlation in waiting:
        reply = await bridge.reply(entity, correlation, seconds=SECONDS)
        assert reply.value["status"] == "succeeded", reply.value
    for entity, number in sent.items():
        await bridge.log.wait(bridge.names.replies(entity), lambda _: True, count=number, seconds=SECONDS)
    took = time.monotonic() - began
    await bridge.log.caught_up()

    replies = {entity: bridge.log.of(bridge.names.replies(entity)) for entity in CATALOGUE.entities}
    letters = sum(len(bridge.log.of(bridge.names.dead_letters(entity))) for entity in CATALOGUE.entities)
    ended = Counter(reply.text("copper-bridge-error") or "succeeded" for each in replies.values() for reply in each)
    restarts = await bridge.metric("copper_bridge_shard_sessions_ended_total")
    print(f"seed {SEED}: {sent.total()} records, {len(waiting)} good commands among them, {took:.1f} s")
    print(f"replies missing or doubled {sum(abs(len(replies[each]) - sent[each]) for each in replies)}, ", end="")
    print(f"partitions behind {len(not_passed(bridge))}, sessions ended {restarts:.0f}, dead letters {letters}")
    print(", ".join(f"{end}: {times}" for end, times in ended.most_common()))
    assert {entity: len(each) for entity, each in replies.items()} == dict(sent)
    assert not_passed(bridge) == []
    assert restarts == 0
