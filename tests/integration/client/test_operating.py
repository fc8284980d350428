"""The operators' commands against a real Kafka, with a stand-in that tells what the bridge would tell."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.client.waiting import wait_complete
from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.records import Outgoing
from bridge.contract.sharding import shard_of
from bridge.contract.topics import TopicNames
from bridge.contract.watermarks import Watermark, watermark_record

PATIENCE_S = 60
PARTITIONS = 3
SHARD = shard_of("acme", PARTITIONS)

Script = Mapping[str, Sequence[tuple[Told, str | None, Mapping[str, Any]]]]
"""What is told, by what was asked for."""


class Stand:
    """Topics of a bridge, and somebody who writes to them as it would."""

    def __init__(self, servers: str, names: TopicNames, producer: AIOKafkaProducer) -> None:
        self.servers = servers
        self.names = names
        self.asked: list[tuple[int, dict[str, Any]]] = []
        self._producer = producer

    async def write(self, record: Outgoing) -> None:
        await self._producer.send_and_wait(
            record.topic, record.value, key=record.key, partition=record.partition, headers=list(record.headers)
        )

    async def tell(
        self, told: Told, entity: str | None = None, control_id: str | None = None, account: str = "acme", **data: Any
    ) -> None:
        said = Announcement(told, account, round(time.time() * 1000), entity, control_id, data)
        await self.write(announcement_record(said, self.names, shard_of(account, PARTITIONS)))

    async def mark(self, entity: str, complete_to: float) -> None:
        at = int(complete_to)
        await self.write(watermark_record(Watermark("acme", entity, at, at + 120, None, 1), self.names, SHARD))

    async def answer(self, consumer: AIOKafkaConsumer, script: Script) -> None:
        async for record in consumer:
            asked = json.loads(record.value)
            self.asked.append((record.partition, asked))
            await self.tell(Told.CONTROL_ACCEPTED, None, "of somebody else", asked="sweep")
            for told, entity, data in script.get(asked["type"], ()):
                await self.tell(told, entity, asked["id"], **data)

    async def cli(self, *arguments: str) -> tuple[int, str, str]:
        words = (*arguments, "-b", self.servers, "--prefix", self.names.prefix)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def play(bootstrap_servers: str, fresh: Callable[[str], str]) -> Callable[[Script], Any]:
    @asynccontextmanager
    async def stand(script: Script) -> AsyncGenerator[Stand]:
        names = TopicNames(fresh("operating"))
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        await admin.start()
        topics = names.control, names.notifications, names.watermarks
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
        await admin.close()
        consumer = AIOKafkaConsumer(
            names.control, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=100
        )
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
        await consumer.start()
        await producer.start()
        here = Stand(bootstrap_servers, names, producer)
        answering = asyncio.create_task(here.answer(consumer, script))
        try:
            yield here
        finally:
            answering.cancel()
            await asyncio.wait([answering])
            await consumer.stop()
            await producer.stop()

    return stand


Play = Callable[[Script], Any]
ACCEPTED = (Told.CONTROL_ACCEPTED, None, {"asked": "what was asked"})


async def test_a_snapshot_is_watched_until_every_entity_is_done(play: Play) -> None:
    script: Script = {
        "snapshot": [
            (Told.CONTROL_ACCEPTED, None, {"asked": "snapshot", "entities": ["lead", "task"]}),
            (Told.SNAPSHOT_STARTED, "lead", {"records": 0, "expected": 300}),
            (Told.SNAPSHOT_COMPLETED, "task", {"records": 5, "calls": 1}),
            (Told.SNAPSHOT_PROGRESS, "lead", {"records": 200, "expected": 300, "calls": 1, "seconds_left": 1}),
            (Told.SNAPSHOT_COMPLETED, "lead", {"records": 300, "calls": 2}),
        ]
    }
    async with play(script) as here:
        code, out, err = await here.cli("snapshot", "acme")
    assert (code, out.splitlines()) == (
        0,
        ["snapshot.completed task: records 5, calls 1", "snapshot.completed lead: records 300, calls 2"],
    )
    assert "snapshot.progress lead: records 200, expected 300, calls 1, seconds_left 1" in err
    assert len(err.splitlines()) == 5
    assert "control.accepted: asked snapshot, entities lead task" in err
    ((partition, asked),) = here.asked
    assert (partition, asked["type"], asked["account"], "entity" in asked) == (SHARD, "snapshot", "acme", False)


async def test_who_does_not_wait_gets_the_id_when_it_is_accepted(play: Play) -> None:
    async with play({"snapshot": [ACCEPTED]}) as here:
        code, out, _ = await here.cli("snapshot", "acme", "--entity", "lead", "--no-wait")
    ((_, asked),) = here.asked
    assert (code, out, asked["entity"]) == (0, f"{asked['id']}\n", "lead")


async def test_a_sweep_tells_what_it_found(play: Play) -> None:
    found = {"asked": 812, "missing": 3, "deleted": 2, "kept": 1}
    async with play({"sweep": [ACCEPTED, (Told.SWEEP_COMPLETED, None, found)]}) as here:
        code, out, _ = await here.cli("sweep", "acme")
    assert (code, out) == (0, "sweep.completed: asked 812, missing 3, deleted 2, kept 1\n")


@pytest.mark.parametrize(
    ("arguments", "asked", "told"),
    [
        (("sweep", "acme"), "sweep", (Told.CONTROL_REFUSED, None, {"reason": "a sweep is under way already"})),
        (("sweep", "acme"), "sweep", (Told.SWEEP_VOID, None, {"reason": "unauthorized"})),
        (("sweep", "acme"), "sweep", (Told.DELETES_HELD, None, {"reason": "too-many", "missing": 9, "known": 9})),
        (("deletes", "reject", "acme"), "reject-deletes", (Told.CONTROL_REFUSED, None, {"reason": "none are held"})),
    ],
)
async def test_what_is_asked_in_vain_is_told_on_standard_error_with_exit_code_6(
    play: Play, arguments: Sequence[str], asked: str, told: tuple[Told, str | None, Mapping[str, Any]]
) -> None:
    async with play({asked: [told]}) as here:
        code, out, err = await here.cli(*arguments)
    assert (code, out) == (6, "")
    assert f"{told[0]}: reason {told[2]['reason']}" in err


async def test_silence_and_a_long_work_end_with_exit_code_7_and_say_which(play: Play) -> None:
    async with play({"snapshot": [ACCEPTED]}) as here:
        silent, late = await asyncio.gather(
            here.cli("sweep", "acme", "--timeout", "2s"), here.cli("snapshot", "acme", "--timeout", "4s")
        )
    assert (silent[0], silent[1], late[0], late[1]) == (7, "", 7, "")
    assert silent[2].startswith("no answer in 2 s: does a bridge that serves acme run")
    assert "not over in time; snapshot" in late[2]


async def test_held_deletes_are_listed_until_somebody_has_decided(play: Play) -> None:
    resumed = (Told.DELETES_RESUMED, None, {"decision": "approved", "deleted": 60, "kept": 0})
    async with play({"approve-deletes": [ACCEPTED, resumed]}) as here:
        assert await here.cli("deletes", "ls") == (0, "", "no deletes are held back\n")
        await here.tell(Told.DELETES_HELD, account="other", reason="user-changed", missing=0, known=0)
        await here.tell(Told.DELETES_RESUMED, account="other", decision="rejected", deleted=0, kept=0)
        await here.tell(Told.DELETES_HELD, reason="too-many", missing=60, known=100)
        table, lines = await asyncio.gather(here.cli("deletes", "ls"), here.cli("deletes", "ls", "--json"))
        assert (table[0], "acme" in table[1], "too-many" in table[1], "other" in table[1]) == (0, True, True, False)
        (held,) = map(json.loads, lines[1].splitlines())
        assert (held["account"], held["reason"], held["missing"], held["known"]) == ("acme", "too-many", 60, 100)
        code, out, _ = await here.cli("deletes", "approve", "acme")
        assert (code, out) == (0, "deletes.resumed: decision approved, deleted 60, kept 0\n")
        assert (await here.cli("deletes", "ls", "--json"))[1] == ""


async def test_progress_shows_what_runs_and_ends_with_it(play: Play) -> None:
    async with play({}) as here:
        assert await here.cli("progress") == (0, "", "no snapshot is being taken\n")
        await here.tell(Told.SNAPSHOT_STARTED, "lead", records=0, expected=400)
        await here.tell(Told.SNAPSHOT_PROGRESS, "lead", records=200, expected=400, calls=1)
        await here.tell(Told.SNAPSHOT_STARTED, "task", records=0, expected=1)
        await here.tell(Told.SNAPSHOT_COMPLETED, "task", records=1, calls=1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", "progress", "acme", "-b", here.servers, "--prefix", here.names.prefix),
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            shown = (await process.stderr.readline()).decode()
            assert shown.endswith("acme  snapshot.progress lead: records 200, expected 400, calls 1\n")
            await here.tell(Told.SNAPSHOT_COMPLETED, "lead", records=400, calls=2)
            rest = (await process.stderr.read()).decode()
            assert rest.endswith("acme  snapshot.completed lead: records 400, calls 2\n")
            assert await process.wait() == 0


async def test_a_wait_ends_when_every_watermark_has_reached_the_moment(play: Play) -> None:
    to = time.time()
    async with play({}) as here:
        await here.mark("lead", to - 10)
        await here.mark("company", to - 10)
        waiting = asyncio.create_task(
            wait_complete(here.servers, here.names, "acme", ["lead", "task"], to, within_s=PATIENCE_S)
        )
        await here.mark("lead", to)
        await here.mark("task", to - 1)
        early = await wait_complete(here.servers, here.names, "acme", ["lead", "task"], to, within_s=2)
        assert (early.complete, waiting.done()) == (False, False)
        assert {entity: mark.complete_to - int(to) for entity, mark in early.watermarks.items()} == {
            "lead": 0,
            "task": int(to - 1) - int(to),
        }
        await here.mark("task", to + 30)
        waited = await waiting
        assert waited.complete
        assert waited.watermarks["task"].complete_to == int(to + 30)


async def test_the_command_that_waits_prints_watermarks_and_ends_with_exit_code_7_when_it_was_in_vain(
    play: Play,
) -> None:
    async with play({}) as here:
        await here.mark("lead", 1_790_000_000)
        common = ("wait", "acme", "--timeout", "3s", "--to")
        done, missing, behind = await asyncio.gather(
            here.cli(*common, "2026-09-21T14:13:20Z", "lead"),
            here.cli(*common, "2026-09-21T14:13:20Z", "lead", "task"),
            here.cli(*common, "2026-09-21T14:13:21Z", "lead"),
        )
    line = "lead complete to 2026-09-21T14:13:20Z, searched 2026-09-21T14:15:20Z, 1 seen\n"
    assert done == (0, line, "")
    assert (missing[0], missing[1]) == (7, line)
    assert "task: nothing told since 2026-09-21T14:13:20Z" in missing[2]
    assert behind == (7, line, "not complete to 2026-09-21T14:13:21Z in time\n")
