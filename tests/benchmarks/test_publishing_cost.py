"""CPU per published event against the bare minimum, in one run.

The bare minimum does what nobody can leave out: parse the same pages, send the same records in transactions of the same
size. The bridge also knows what was there before, tells what changed, writes its memory and its cursor.
"""

import asyncio
import bisect
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import orjson

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.events import Change, Kind, changed_fields, content_hash, records_of
from bridge.contract.records import Outgoing
from bridge.contract.topics import TopicNames
from bridge.kafka.connection import Connection
from bridge.kafka.ledger import Ledger
from bridge.policy.sightings import Ask, Lane, Page, Stamp, Trouble, Via
from bridge.shard.memory import Memory
from bridge.shard.polling import Polled, Polling
from bridge.shard.publishing import Publishing
from bridge.shard.room import Room
from bridge.shard.scanning import Scanning
from bridge.shard.snapshotting import Snapshotting, Taken

if TYPE_CHECKING:
    from bridge.shard.ports import Copper

RECORDS = 6_000
ROUNDS = 3
START = 1_790_000_000


class Pages:
    """Copper as a port: pages of encoded records, parsed when asked for, as the client would."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.turn(records)

    def turn(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._rows = [orjson.dumps(record) for record in records]
        self._stamps = {stamp: [record[stamp.value] for record in records] for stamp in Stamp}

    async def search(self, _entity: str, ask: Ask, _lane: Lane, _place: object) -> Page | Trouble:
        first = bisect.bisect_left(self._stamps[ask.stamp], ask.at_least or 0)
        body = b"[" + b",".join(self._rows[first : first + ask.size]) + b"]"
        return Page(tuple(orjson.loads(body)), len(self._rows) - first, START)


def version(number: int, turn: int) -> dict[str, Any]:
    """A lead of about 1.1 KB, every second of another modification time."""
    lead = dict(CATALOGUE.entities["lead"].example)
    custom = [{"custom_field_definition_id": 50300 + n, "value": f"value {number} {n}"} for n in range(8)]
    stamp = START + 10_000 + number
    return lead | {
        "id": number + 1,
        "name": f"Lead {number}",
        "details": f"turn {turn} " + "x" * 200,
        "custom_fields": custom,
        "date_created": START - 100_000 + number,
        "date_modified": stamp if turn == 0 else stamp + turn * 20_000,
    }


def bare_records(names: TopicNames, turn: int) -> list[list[Outgoing]]:
    """The records of every page of updates, as the bridge writes them, made ahead of the measurement."""
    pages = []
    for first in range(0, RECORDS, 200):
        rows = [(version(n, turn - 1), version(n, turn)) for n in range(first, first + 200)]
        changes = [
            Change(Kind.UPDATED, "acme", "lead", new["id"], old, new, changed_fields(old, new), Via.POLL,
                   new["date_modified"], content_hash(new), new["date_modified"])
            for old, new in rows
        ]  # fmt: skip
        pages.append([record for change in changes for record in records_of(change, names, 0, START * 1000)])
    return pages


async def bare(connection: Connection, pages: Sequence[bytes], batches: Sequence[Sequence[Outgoing]]) -> float:
    """CPU seconds of the bare minimum."""
    producer = connection.transactional_producer(f"bare-{time.monotonic_ns()}")
    await producer.start()
    started = time.process_time()
    for page, batch in zip(pages, batches, strict=True):
        orjson.loads(page)
        await producer.begin_transaction()
        sent = [
            await producer.send(record.topic, record.value, record.key, record.partition, headers=list(record.headers))
            for record in batch
        ]
        await asyncio.gather(*sent)
        await producer.commit_transaction()
    spent = time.process_time() - started
    await producer.stop()
    return spent


async def test_cpu_per_published_event(
    connection: Connection, names: TopicNames, tmp_path: Path, show: Callable[[str], None]
) -> None:
    pages = Pages([version(n, 0) for n in range(RECORDS)])
    topics = {names.state("lead"): ("state", "lead"), names.cursors: ("cursor", "")}
    memory = Memory(tmp_path / "memory.sqlite", {}, topics, time.time)

    async def untouched() -> bool:
        return True

    published: list[Any] = []
    ledger = Ledger(connection, f"bench-{names.prefix}", 0, memory, renewed=untouched)
    publishing = Publishing(memory, names, 0, time.time, lambda _entity, _via, verdict: published.append(verdict))
    await ledger.open()
    writing = asyncio.create_task(ledger.run())
    scanned = asyncio.Event()
    polled = Polled("acme", "lead", filtered=True, every=3600, deep_every=7200, overlap=0, backfill=False)

    scanning = Scanning("acme", "lead", 0, cast("Copper", pages), ledger, publishing, Room())

    async def scan() -> float:
        followed = asyncio.Event()

        def taken(how_far: Taken) -> None:
            if how_far.done:
                scanned.set()

        first = Snapshotting(polled, scanning, asyncio.Event(), followed, lambda *_: scanned.set(), taken)
        live = Polling(
            polled,
            scanning,
            asyncio.Event(),
            followed,
            Counter(),
            lambda *_: scanned.set(),
            lambda _found: 3600.0,
            lambda: 0.0,
        )
        started = time.process_time()
        fresh = memory.known.cursor("scan/acme/lead") is None
        followed.set()
        task = asyncio.create_task(first.run() if fresh else live.run())
        await scanned.wait()
        spent = time.process_time() - started
        scanned.clear()
        task.cancel()
        return spent

    snapshot = await scan()
    ratios, ours, theirs = [], [], []
    for turn in range(1, ROUNDS + 1):
        rows = [version(n, turn) for n in range(RECORDS)]
        pages.turn(rows)
        encoded = [orjson.dumps(rows[first : first + 200]) for first in range(0, RECORDS, 200)]
        batches = bare_records(names, turn)
        published.clear()
        ours.append(await scan())
        assert sum(isinstance(verdict, Change) for verdict in published) == RECORDS
        theirs.append(await bare(connection, encoded, batches))
        ratios.append(ours[-1] / theirs[-1])
    writing.cancel()
    await ledger.close()
    memory.close()
    each = 1e6 / RECORDS
    show(f"snapshot row: {snapshot * each:.0f} µs CPU")
    show(f"update event (4 records): bridge {median(ours) * each:.0f} µs, bare minimum {median(theirs) * each:.0f} µs")
    show(f"ratio per round: {', '.join(f'{ratio:.2f}' for ratio in ratios)} (aim: at most 1.5)")
