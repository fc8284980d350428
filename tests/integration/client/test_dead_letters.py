"""Dead letters with a bridge at work: found, shown, put back once, parked in the end; and read by foreign tools."""

import asyncio
import json
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer
from confluent_kafka import Message as ForeignMessage

from bridge.client.connecting import KafkaTrouble
from bridge.client.dead_letters import Found, _alone, _write, letters, redrive
from bridge.contract.dead_letters import redriven
from bridge.contract.records import Position
from bridge.policy.redriving import Kept, Search, State, Step, decide
from tests.integration.bridge.reading import Message
from tests.integration.bridge.stage import SHARDS, Stage, stage

PATIENCE_S = 60
ACCOUNT = "acme"
BROKEN = b'{"action": "create", "data": {"nmae": "Tideglass"}}'
MENDED = b'{"action": "create", "data": {"name": "Tideglass"}}'


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge that serves one account and hears nothing of Copper by itself."""
    quiet = {"poll_every": "10m"}
    async with stage(bootstrap_servers, tmp_path_factory.mktemp("buried"), [ACCOUNT], events=quiet) as here:
        yield here


async def dlt(play: Stage, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "dlt", *arguments, "-b", play.servers, "--prefix", play.names.prefix),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def buried(play: Stage, entity: str, key: bytes, value: bytes = BROKEN, *, count: int = 1) -> Message:
    """Sends a bad command if none of that key was sent yet; the latest of its letters, once there are so many."""
    topic = play.names.dead_letters(entity)
    if count == 1:
        await play.send(play.names.commands(entity), value, (("correlation-id", key),), key=key)
    return (await play.log.wait(topic, lambda each: each.key == key, count=count))[-1]


async def found_by(play: Stage, **search: Any) -> list[Found]:
    return [each async for each in letters(play.servers, play.names, Search(**search))]


async def given(steps: Sequence[Step | Kept]) -> AsyncGenerator[Step]:
    for each in steps:
        if isinstance(each, Step):
            yield each


def place(letter: Message) -> str:
    return str(Position(letter.topic, letter.partition, letter.offset))


async def test_a_bad_command_is_found_mended_and_put_back_and_carried_out_once(play: Stage, tmp_path: Path) -> None:
    letter = await buried(play, "company", b"mend")
    where, effects = place(letter), len(play.account(ACCOUNT).effects)

    code, out, _ = await dlt(play, "ls", "--key", "mend")
    assert (code, out.split()[0], "invalid  0 redrives  waiting" in out, "nmae" in out) == (0, where, True, True)
    pages = await asyncio.gather(*(dlt(play, "show", where, *more) for more in ([], ["--no-value"], ["--raw"])))
    whole, without, raw = (page for _, page, _ in pages)
    assert f"value     {BROKEN.decode()}" in whole.splitlines()
    assert (BROKEN.decode() in without, raw) == (False, BROKEN.decode())

    file = tmp_path / "mended.json"
    file.write_bytes(MENDED)
    code, out, _ = await dlt(play, "redrive", where, "--value", str(file), "--dry-run")
    assert (code, out.startswith(f"would redrive  {where}")) == (0, True)
    code, _, err = await dlt(play, "redrive", where, "--value", "-", stdin=BROKEN)
    assert (code, "the mended command is refused too: data.nmae" in err) == (6, True)
    code, out, _ = await dlt(play, "redrive", where, "--value", str(file))
    assert (code, out) == (0, f"redriven  {where}  to {play.names.commands('company')}: time 1\n")

    def done(each: Message) -> bool:
        return each.key == b"mend" and each.value["status"] == "succeeded"

    reply = await play.log.one(play.names.replies("company"), done)
    command = reply.value["command"]
    assert command["id"] == letter.text("__connect.errors.topic") + "-" + "-".join(
        letter.text(f"__connect.errors.{part}") for part in ("partition", "offset")
    )
    assert reply.headers["correlation-id"] == b"mend"
    assert (await dlt(play, "ls", "--key", "mend"))[1:] == ("", "no such letters wait\n")
    assert "redriven" in (await dlt(play, "ls", "--key", "mend", "--all"))[1]
    code, _, err = await dlt(play, "redrive", where, "--value", str(file))
    assert (code, err) == (6, f"kept  {where}: it has been redriven already\n")

    (found,) = await found_by(play, key=b"mend")
    again = redriven(found.letter, MENDED)
    await play.send(again.topic, again.value, again.headers, key=again.key, partition=again.partition)
    first, second = await play.log.wait(play.names.replies("company"), done, count=2)
    assert (first.value["duplicate"], second.value["duplicate"]) == (False, True)
    assert len(play.account(ACCOUNT).effects) == effects + 1


async def test_a_command_that_comes_back_each_time_is_parked_after_the_limit(play: Stage) -> None:
    for times in range(2):
        letter = await buried(play, "lead", b"hopeless", count=times + 1)
        assert letter.text("copper-bridge-redrives") == str(times)
        code, out, _ = await dlt(play, "redrive", "--key", "hopeless", "--limit", "2")
        assert (code, out.split()[:2]) == (0, ["redriven", place(letter)])
    last = await buried(play, "lead", b"hopeless", count=3)
    code, out, _ = await dlt(play, "redrive", "--key", "hopeless", "--limit", "2")
    assert (code, out) == (0, f"parked  {place(last)}  to {play.names.parked}: put back 2 times in vain\n")
    kept = await play.log.one(play.names.parked, lambda each: each.key == b"hopeless")
    assert (kept.raw, kept.pairs, kept.partition) == (last.raw, last.pairs, last.partition)
    told = await play.log.one(play.names.notifications, lambda each: each.value["type"] == "letter.parked")
    assert told.value["data"]["letter"] == place(last)
    assert (await dlt(play, "ls", "--key", "hopeless"))[1] == ""
    _, listed, _ = await dlt(play, "ls", "--parked", "--json")
    assert [json.loads(line)["position"] for line in listed.splitlines()] == [place(kept)]

    code, out, _ = await dlt(play, "redrive", place(kept), "--value", "-", stdin=MENDED)
    assert (code, out.split()[:2]) == (0, ["redriven", place(kept)])
    await play.log.one(
        play.names.replies("lead"), lambda each: each.key == b"hopeless" and each.value["status"] == "succeeded"
    )


async def test_more_than_one_letter_takes_a_word_and_a_second_redrive_finds_none(play: Stage) -> None:
    for number in range(2):
        await buried(play, "task", f"many-{number}".encode())
    refused = await dlt(play, "redrive", "--entity", "task")
    assert (refused[0], "2 letters" in refused[2]) == (2, True)
    assert [
        line.split()[0] for line in (await dlt(play, "redrive", "--entity", "task", "-n", "1"))[1].splitlines()
    ] == ["redriven"]
    found = await found_by(play, entity="task", code="invalid")
    steps = [decide(each.letter, State.WAITING, play.names, partitions=SHARDS) for each in found]
    taken = [each async for done in redrive(play.servers, play.names, given(steps)) for each in done]
    old, *new = sorted(taken, key=lambda each: isinstance(each, Step))
    assert isinstance(old, Kept)
    assert old.reason == "somebody else was quicker: it has been redriven"
    assert new
    assert all(isinstance(each, Step) for each in new)


async def test_who_begins_ends_what_another_has_not_committed(play: Stage) -> None:
    await buried(play, "opportunity", b"contested")
    found = await found_by(play, key=b"contested")
    steps = [decide(each.letter, each.state, play.names, partitions=each.partitions) for each in found]

    async def overtaken() -> None:
        async with _alone(play.servers, play.names) as slow, slow.transaction():
            await _write(slow, play.names, [step async for step in given(steps)])
            assert [done async for done in redrive(play.servers, play.names, given(steps))] == [steps]

    with pytest.raises(KafkaTrouble, match="another redrive has begun"):
        await overtaken()
    again = await buried(play, "opportunity", b"contested", count=2)
    assert again.text("copper-bridge-redrives") == "1"
    await play.log.caught_up()
    put_back = play.log.of(play.names.commands("opportunity"), lambda each: each.key == b"contested")
    assert len(put_back) == 2


async def test_a_forged_letter_is_kept_and_the_others_go_on(play: Stage) -> None:
    real = await buried(play, "activity", b"real", b"{}")
    pairs = dict(real.pairs)
    forgeries = (
        {"kafka_dlt-original-partition": (99).to_bytes(4, "big")},
        {"kafka_dlt-original-partition": (1 << 62).to_bytes(8, "big")},
        {"kafka_dlt-original-timestamp": (1 << 62).to_bytes(8, "big")},
    )
    for changed in forgeries:
        await play.send(real.topic, real.raw, tuple((pairs | changed).items()), key=b"forged", partition=0)
    _, listed, _ = await dlt(play, "ls", "--key", "forged")
    places = [line.split()[0] for line in listed.splitlines()]
    assert [len(places), *{code for code, _, _ in [await dlt(play, "show", each) for each in places]}] == [3, 0]
    code, out, err = await dlt(play, "redrive", "--entity", "activity", "--yes")
    assert (code, [line.split()[1] for line in out.splitlines()]) == (6, [place(real), places[2]])
    reason = f"it is forged: {play.names.commands('activity')} has no such partition as it names"
    assert err.splitlines() == [f"kept  {each}: {reason}" for each in places[:2]]


async def test_what_is_not_there_and_what_makes_no_sense_is_said(play: Stage) -> None:
    nowhere = f"{play.names.dead_letters('project')}-0-999"
    absent, vain, none, event, many = await asyncio.gather(
        dlt(play, "show", nowhere),
        dlt(play, "redrive", nowhere),
        dlt(play, "redrive", "--entity", "project"),
        dlt(play, "redrive", f"{play.names.changes('company')}-0-1"),
        dlt(play, "redrive", "--value", "-"),
    )
    assert absent == vain == (6, "", f"no dead letter at {nowhere}\n")
    assert none == (0, "", "no such letters wait\n")
    assert (event[0], many[0]) == (2, 2)


def consume(servers: str, topic: str) -> ForeignMessage:
    """The first message of a topic, by a client of another family."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    try:
        for _ in range(PATIENCE_S * 2):
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                return message
    finally:
        consumer.close()
    raise AssertionError("no message came")


async def test_the_tools_of_both_families_find_where_the_command_lay(play: Stage) -> None:
    partition, offset = await play.send(play.names.commands("person"), BROKEN, key=b"foreign")
    message = await asyncio.to_thread(consume, play.servers, play.names.dead_letters("person"))
    raw = {name: value for name, value in dict(message.headers() or []).items() if isinstance(value, bytes)}
    # Spring writes and reads numbers with Java's ByteBuffer, Kafka Connect as text.
    spring = (
        raw["kafka_dlt-original-topic"].decode(),
        *struct.unpack(">i", raw["kafka_dlt-original-partition"]),
        *struct.unpack(">q", raw["kafka_dlt-original-offset"]),
    )
    connect = (
        raw["__connect.errors.topic"].decode(),
        int(raw["__connect.errors.partition"].decode()),
        int(raw["__connect.errors.offset"].decode()),
    )
    assert spring == connect == (play.names.commands("person"), partition, offset)
    (stamp,) = struct.unpack(">q", raw["kafka_dlt-original-timestamp"])
    assert 0 <= message.timestamp()[1] - stamp < PATIENCE_S * 1000
    assert raw["kafka_dlt-exception-message"] == raw["__connect.errors.exception.message"]
    assert (message.value(), message.key()) == (BROKEN, b"foreign")
