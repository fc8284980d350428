"""A model of Copper's search, with its faults, and the core of a poller: what the simulations of this folder run on.

Virtual time only. Everything random comes from the seed of the run.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson
import pytest

from bridge.contract.events import Change, content_hash
from bridge.policy.changes import Known, Reason, Sighting, Verdict, judge
from bridge.policy.scans import Scan, ScanEnd, ascending, descending, next_lower
from bridge.policy.sightings import Ask, Page, Record, Stamp, Via

LAG = 8.0
"""Seconds the search index lags behind a write at most."""
START = 1_790_000_000
WRITING = 60.0
"""Seconds of writing per run."""
COMMANDS = 0.1
"""Probability of a write of our own after a page, while others write too."""
TRIES = 5
"""Polls after all is quiet at most; only an incomplete one is followed by another."""


@dataclass(frozen=True)
class Knobs:
    """One run's Copper."""

    rate: float
    """Writes per second."""
    bulk: int
    """Rows of a bulk write, all in one second."""
    short: float
    """Probability that a page is cut short though it is not the last."""
    over: int
    """X-PW-TOTAL is too large by this."""
    exclusive_minimum: bool
    exclusive_maximum: bool
    latency: float
    """Seconds a call takes; other people write meanwhile."""
    size: int

    @classmethod
    def drawn(cls, rng: random.Random) -> "Knobs":
        return cls(
            rate=rng.choice([1.0, 2.5, 6.0]),
            bulk=rng.choice([0, 0, 0, 12, 30]),
            short=rng.choice([0.0, 0.0, 0.05]),
            over=rng.choice([0, 0, 0, 2]),
            exclusive_minimum=rng.random() < 0.5,
            exclusive_maximum=rng.random() < 0.3,
            latency=rng.choice([0.1, 0.5, 1.5]),
            size=rng.choice([5, 7, 10, 25]),
        )


@dataclass
class Copper:
    """The records as they are, and the index as searches see it: late, per write, versions of one id in order."""

    rng: random.Random
    knobs: Knobs
    now: float = float(START)
    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    index: dict[int, dict[str, Any]] = field(default_factory=dict)
    indexed: dict[int, int] = field(default_factory=dict)
    pending: list[tuple[float, int, int, dict[str, Any] | None]] = field(default_factory=list)
    writes: int = 0
    schedule: deque[float] = field(default_factory=deque)

    def write(self) -> None:
        """One write by somebody: create, edit (often twice within a second), touch, delete, or a bulk of creates."""
        draw, ids = self.rng.random(), list(self.records)
        if not ids or draw < 0.25:
            self._put(max(self.versions, default=0) + 1)
        elif draw < 0.80:
            record_id = self.rng.choice(ids)
            for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
                self._put(record_id)
        elif draw < 0.90:
            self._put(self.rng.choice(ids), touch=True)
        elif draw < 0.97:
            self._delete(self.rng.choice(ids))
        else:
            for _ in range(self.knobs.bulk):
                self._put(max(self.versions) + 1)

    def _put(self, record_id: int, *, touch: bool = False) -> None:
        old = self.records.get(record_id, {"id": record_id, "date_created": int(self.now), "name": ""})
        name = old["name"] if touch else self.rng.choice([name for name in "abc" if name != old["name"]])
        self.records[record_id] = record = {**old, "name": name, "date_modified": int(self.now)}
        self.versions.setdefault(record_id, []).append((name, int(self.now)))
        self._publish(record_id, record)

    def _delete(self, record_id: int) -> None:
        del self.records[record_id]
        self._publish(record_id, None)

    def _publish(self, record_id: int, record: dict[str, Any] | None) -> None:
        self.writes += 1
        lag = LAG if self.rng.random() < 0.15 else self.rng.random() * LAG
        heapq.heappush(self.pending, (self.now + lag, self.writes, record_id, record))

    def edit(self) -> Record | None:
        """A write of our own, answered with the record: nothing, if there is none to write to."""
        if not self.records:
            return None
        record_id = self.rng.choice(list(self.records))
        self._put(record_id)
        return self.records[record_id]

    def pass_until(self, then: float) -> None:
        """Let time pass, with all writes that fall into it."""
        while self.schedule and self.schedule[0] <= then:
            self.now = max(self.now, self.schedule.popleft())
            self.write()
        self.now = max(self.now, then)

    def catch_up(self) -> None:
        """Bring the index to what it shows now: late writes arrive, but never an older version over a newer one."""
        while self.pending and self.pending[0][0] <= self.now:
            _, number, record_id, record = heapq.heappop(self.pending)
            if number < self.indexed.get(record_id, 0):
                continue
            self.indexed[record_id] = number
            if record is None:
                self.index.pop(record_id, None)
            else:
                self.index[record_id] = record

    def search(self, ask: Ask) -> Page:
        """One answer, a snapshot of the index in the middle of the call; rows of equal stamp in any order."""
        asked_at = int(self.now)
        self.pass_until(self.now + self.knobs.latency / 2)
        self.catch_up()
        rows = [row for row in self.index.values() if self._within(row[ask.stamp], ask)]
        draw = self.rng.random
        rows.sort(key=lambda row: row[ask.stamp] + draw(), reverse=ask.descending)  # whole seconds and less than one
        page = rows[(ask.page - 1) * ask.size : ask.page * ask.size]
        if len(page) > 1 and self.rng.random() < self.knobs.short:
            page = page[: self.rng.randrange(1, len(page))]
        self.pass_until(self.now + self.knobs.latency / 2)
        return Page(tuple(page), len(rows) + self.knobs.over, asked_at)

    def _within(self, second: int, ask: Ask) -> bool:
        above = ask.at_least is None or second >= ask.at_least + self.knobs.exclusive_minimum
        return above and (ask.at_most is None or second <= ask.at_most - self.knobs.exclusive_maximum)

    def get(self, record_id: int) -> Record | None:
        """The record as it is now: reads by id do not lag."""
        self.pass_until(self.now + self.knobs.latency)
        return self.records.get(record_id)


@dataclass
class Tally:
    """What became of one or many runs."""

    runs: int = 0
    writes: int = 0
    calls: int = 0
    events: int = 0
    lost: int = 0
    duplicated: int = 0
    disordered: int = 0
    invented: int = 0
    failing: list[int] = field(default_factory=list)
    """Seeds of the runs in which something was wrong."""

    def __iadd__(self, other: "Tally") -> Self:
        for name in ("runs", "writes", "calls", "events", "lost", "duplicated", "disordered", "invented", "failing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


Judge = Callable[[Known | None, Sighting], Verdict]
Lower = Callable[[ScanEnd, int, list[Record]], int]


@dataclass
class Poller:
    """A poller without its I/O: scan, judge, publish, remember. The parts that mutants replace are fields."""

    copper: Copper
    overlap: int
    scan: Callable[[int, int], Scan]
    judge: Judge
    lower: Lower | None = None
    known: dict[int, Known] = field(default_factory=dict)
    published: dict[int, list[Change]] = field(default_factory=dict)
    calls: int = 0
    incomplete: bool = False

    def poll(self, lower: int) -> int:
        """One scan from `lower`; returns the lower bound of the next."""
        seen: list[Record] = []
        end = self._drive(self.scan(lower, self.copper.knobs.size), Via.POLL, seen)
        self.incomplete = end.incomplete
        return self.lower(end, lower, seen) if self.lower else next_lower(end, lower=lower, overlap=self.overlap)

    def snapshot(self) -> int:
        """The first scan of all there is, by `date_created`; returns the lower bound of the first poll."""
        end = self._drive(ascending(Stamp.CREATED, 0, size=self.copper.knobs.size), Via.SNAPSHOT, [])
        return next_lower(end, lower=0, overlap=self.overlap)

    def _drive(self, scan: Scan, via: Via, seen: list[Record]) -> ScanEnd:
        step = next(scan)
        while True:
            asked_s = self.copper.now
            page = self.copper.search(step.ask)
            self.calls += 1
            for record in page.records:
                self._notice(Sighting("acme", "lead", record, via, authoritative=False, asked_s=asked_s))
            seen += page.records
            if self.copper.schedule and self.copper.rng.random() < COMMANDS:
                self._command()
            try:
                step = scan.send(page)
            except StopIteration as stop:
                end: ScanEnd = stop.value
                return end

    def _command(self) -> None:
        asked_s = self.copper.now
        record = self.copper.edit()
        if record is not None:
            self._notice(Sighting("acme", "lead", record, Via.COMMAND, authoritative=True, asked_s=asked_s))

    def _notice(self, sighting: Sighting) -> None:
        record_id = sighting.record["id"]
        verdict = self.judge(self.known.get(record_id), sighting)
        if verdict is Reason.DOUBTFUL:
            asked_s = self.copper.now
            record = self.copper.get(record_id)
            self.calls += 1
            if record is not None:
                self._notice(Sighting("acme", "lead", record, sighting.via, authoritative=True, asked_s=asked_s))
        elif isinstance(verdict, Change):
            self.published.setdefault(record_id, []).append(verdict)
            value = None if verdict.after is None else orjson.dumps(verdict.after)
            self.known[record_id] = Known(verdict.date_modified, verdict.content_hash, self.copper.now, value)


def _checked(seed: int, copper: Copper, poller: Poller) -> Tally:
    """Compare what was published with what was true."""
    tally = Tally(runs=1, writes=copper.writes, calls=poller.calls)
    for record_id, record in copper.records.items():
        events = poller.published.get(record_id, [])
        tally.lost += not events or events[-1].content_hash != content_hash(record)
    for record_id, events in poller.published.items():
        versions, place = copper.versions[record_id], -1
        tally.events += len(events)
        for before, event in zip([None, *events], events, strict=False):
            assert event.after is not None
            version = (event.after["name"], event.date_modified)
            tally.duplicated += before is not None and before.content_hash == event.content_hash
            tally.invented += version not in versions
            later = [index for index, each in enumerate(versions) if each == version and index > place]
            tally.disordered += not later
            place = later[0] if later else place
    if tally.lost or tally.duplicated or tally.disordered or tally.invented:
        tally.failing.append(seed)
    return tally


def _judge(known: Known | None, sighting: Sighting) -> Verdict:
    return judge(known, sighting, followed_since=START)


def _scan_a(lower: int, size: int) -> Scan:
    return ascending(Stamp.MODIFIED, lower, size=size)


def _simulate(
    seed: int,
    *,
    scan: Callable[[int, int], Scan],
    overlap: int = int(LAG),
    judge: Judge = _judge,
    lower: Lower | None = None,
) -> Tally:
    """One run: a snapshot, polls while people write, polls until all is quiet; then what was published is checked."""
    rng = random.Random(seed)  # noqa: S311 - a simulation needs a seed, not secrecy
    copper = Copper(rng, Knobs.drawn(rng))
    for _ in range(10):
        copper.write()
    begin = copper.now + LAG
    copper.schedule.extend(sorted(begin + rng.random() * WRITING for _ in range(int(WRITING * copper.knobs.rate))))
    poller = Poller(copper, overlap, scan, judge, lower)
    copper.pass_until(begin + rng.random())
    bound = poller.snapshot()
    last, tries = False, 0
    while not last:  # the first poll that begins when all writes are visible has to bring all the rest
        tries += copper.now > begin + WRITING + LAG
        bound = poller.poll(bound)
        last = tries == TRIES or (tries > 0 and not poller.incomplete)
        copper.pass_until(copper.now + rng.uniform(2, 5))
    return _checked(seed, copper, poller)


def _by_stamp_only(known: Known | None, sighting: Sighting) -> Verdict:
    """Mutant: a version is (id, date_modified)."""
    verdict = _judge(known, sighting)
    return Reason.UNCHANGED if verdict is Reason.DOUBTFUL else verdict


def _without_hash(known: Known | None, sighting: Sighting) -> Verdict:
    """Mutant: contents are not compared."""
    blind = known and replace(known, content_hash="-")
    verdict = _judge(blind, sighting)
    return _judge(blind, replace(sighting, authoritative=True)) if verdict is Reason.DOUBTFUL else verdict


def _without_reading(known: Known | None, sighting: Sighting) -> Verdict:
    """Mutant: what the lagging index says of two edits in one second is believed."""
    return _judge(known, replace(sighting, authoritative=True))


def _from_latest(end: ScanEnd, lower: int, seen: list[Record]) -> int:
    """Mutant: the cursor is the latest stamp seen."""
    return max(lower, *(int(record["date_modified"]) for record in seen), lower)


MUTANTS: dict[str, dict[str, Any]] = {
    "identity (id, date_modified)": {"judge": _by_stamp_only},
    "no content hash": {"judge": _without_hash},
    "index believed about one second": {"judge": _without_reading},
    "cursor = latest stamp": {"lower": _from_latest},
}

Simulate = Callable[..., Tally]


@pytest.fixture
def mutants() -> dict[str, dict[str, Any]]:
    """The poller with one deliberate mistake each, as arguments of `simulate`."""
    return MUTANTS


@pytest.fixture
def simulate() -> Simulate:
    """One seeded run of the poller against the model of Copper."""
    return _simulate


@pytest.fixture(params=["ascending", "descending"])
def scan(request: pytest.FixtureRequest) -> Callable[[int, int], Scan]:
    """Either scan over `date_modified`."""
    return _scan_a if request.param == "ascending" else descending
