"""Several accounts in one shard, and one of them misbehaves: what the events of the others notice of it.

Everything but Kafka and the wire is the bridge's own, on a virtual clock: gaps are exact.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import count, islice

import orjson
import pytest

from bridge.app.pacing import following
from bridge.contract.sharding import shard_of
from bridge.copper.client import CopperAccount
from bridge.policy.budget import SHARES, SHARES_OF_ALL
from bridge.policy.pacing import JITTER, Pace, intervals
from bridge.policy.sightings import Lane
from bridge.sandbox.copper.limits import most_in_any
from bridge.shard.parts import Flow
from bridge.shard.pausing import Pausing
from bridge.shard.polling import Polled, Polling
from bridge.shard.room import Room
from bridge.shard.scanning import Scanning
from bridge.shard.snapshotting import Snapshotting
from bridge.shard.turns import Turns
from tests.unit.shard.guarded import Guarded
from tests.unit.shard.stage import EPOCH, NAMES, OVERLAP, PARTITIONS, SHARD, Stage

SEED = 7
EVERY = 15.0
PER_MINUTE = 170
CONNECTIONS = 8
ENTITIES = {"lead": "leads", "task": "tasks", "opportunity": "opportunities"}
LASTING = 150.0
POISON = 500
GIANT = 1_500


def _names() -> Iterator[str]:
    """Accounts of the one shard."""
    return (name for name in (f"account-{number}" for number in count()) if shard_of(name, PARTITIONS) == SHARD)


BAD, *GOOD = islice(_names(), 4)


class House:
    """The accounts of a shard, each with a Copper of its own, over one ledger and few connections."""

    def __init__(self, stage: Stage, names: list[str], *, busy: float | None = None, deep_every: float = 300.0) -> None:
        self.stage, self.rng = stage, random.Random(SEED)  # noqa: S311 - a seed, not secrecy
        turns = Turns(CONNECTIONS, SHARES_OF_ALL)
        self.coppers = {name: Guarded(stage.clock, stage.pulse) for name in names}
        self.accounts = {
            name: copper.account(name, per_minute=PER_MINUTE, turn=turns.turn) for name, copper in self.coppers.items()
        }
        of = dict.fromkeys(ENTITIES, intervals(EVERY, busy=busy))
        self.deep_every = deep_every
        self.paces = {name: Pace(of, PER_MINUTE) for name in names}
        self.changed: dict[tuple[str, str], float] = {}
        """Account and name of a record to when it was made at Copper, Unix seconds."""

    def flows(self) -> list[Flow]:
        stage, flows = self.stage, list[Flow]()
        for name, account in self.accounts.items():
            ledger, publishing = stage.ledger, stage.publishing()
            flows.append(Pausing(name, account.gate, ledger, publishing, lambda _account, _paused: None))
            for entity in ENTITIES:
                flows += self._following(name, account, entity)
        return flows

    def _following(self, name: str, account: CopperAccount, entity: str) -> list[Flow]:
        polled = Polled(name, entity, True, EVERY, self.deep_every, OVERLAP, False)
        done, asked = asyncio.Event(), asyncio.Event()
        scanning = Scanning(name, entity, OVERLAP, account, self.stage.ledger, self.stage.publishing(), Room())
        pace = following(self.paces[name], account, entity)
        return [
            Snapshotting(polled, scanning, asked, done, lambda _polled, _trouble: None, lambda _taken: None),
            Polling(polled, scanning, asked, done, Counter(), lambda _p, _s: None, pace, self.rng.random),
        ]

    async def people(self, name: str, every: float) -> None:
        """Make something new now and then."""
        for number in count(1):
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * every)
            entity = self.rng.choice([*ENTITIES])
            self.coppers[name].keep(ENTITIES[entity], number, name=f"{entity} {number}")
            self.changed[name, f"{entity} {number}"] = self.stage.clock()

    def gaps(self, name: str) -> list[float]:
        """From each change at Copper to its event; those still to come are as old as they are now."""
        now, seen = self.stage.clock(), dict[tuple[str, str], float]()
        for entity in ENTITIES:
            for record in self.stage.log.of(NAMES.event(entity, "created")):
                event = orjson.loads(record.value or b"null")
                which = ((record.key or b"").decode().partition("/")[0], event["after"]["name"])
                assert which not in seen, "published twice"
                seen[which] = record.timestamp_ms / 1000
        return [seen.get(which, now) - at for which, at in self.changed.items() if which[0] == name]


async def _none(_house: House) -> None:
    """Everybody behaves."""


async def _refused(house: House) -> None:
    house.coppers[BAD].refused["*"] = 401


async def _too_many(house: House) -> None:
    house.coppers[BAD].refused["*"] = 429


async def _poison(house: House) -> None:
    """Bytes that are no commands, and commands for records that there are not."""
    for number in range(POISON):
        house.stage.put(NAMES.commands("lead"), house.rng.randbytes(100), key=BAD.encode())
        house.stage.send("update", "lead", key=BAD.encode(), record_id=10_000 + number, data={"name": "x"})
        await asyncio.sleep(0.0 if number % 100 else 1.0)


async def _giant(house: House) -> None:
    """Three snapshots of all there is are begun together."""
    for path in ENTITIES.values():
        for number in range(GIANT):
            stamps = {"date_created": EPOCH - 10 * GIANT + number, "date_modified": EPOCH - GIANT}
            house.coppers[BAD].records[path, 10_000 + number] = {"id": 10_000 + number, "name": "old", **stamps}
    await asyncio.sleep(0)


@pytest.mark.figures
@pytest.mark.parametrize("misbehaves", [_none, _refused, _too_many, _poison, _giant])
async def test_one_account_that_misbehaves_slows_nobody_elses_events(
    stage: Stage, misbehaves: Callable[[House], Awaitable[None]]
) -> None:
    house = House(stage, [BAD, *GOOD])
    if misbehaves is _giant:
        await misbehaves(house)
    executing = stage.executing(coppers=house.accounts)
    async with stage.at_work(executing, plain=house.flows()):
        await asyncio.sleep(2 * EVERY)
        working = [asyncio.ensure_future(house.people(name, 3.0)) for name in (BAD, *GOOD)]
        if misbehaves is not _giant:
            await misbehaves(house)
        await asyncio.sleep(LASTING)
        for each in working:
            each.cancel()
        await asyncio.sleep(2 * EVERY)
        gaps = {name: house.gaps(name) for name in house.accounts}
    worst = max(max(gaps[name]) for name in GOOD)
    print(
        f"seed {SEED}, {misbehaves.__name__.strip('_')}: of {sum(len(gaps[name]) for name in GOOD)} changes in "
        f"{len(GOOD)} accounts the last came {worst:.1f} s after it was made, polled every {EVERY:.0f} s; in the "
        f"account itself {max(gaps[BAD]):.0f} s"
    )
    assert worst <= EVERY + 1.0
    assert all(most_in_any(60.0, [each.at for each in copper.requests]) <= 180 for copper in house.coppers.values())


@pytest.mark.figures
async def test_a_busy_account_is_polled_as_often_as_half_of_the_polls_share_allows_and_never_more(
    stage: Stage,
) -> None:
    house = House(stage, [BAD, GOOD[0]], busy=0.5, deep_every=1e9)
    async with stage.at_work(plain=house.flows()):
        await asyncio.sleep(60.0)
        began = asyncio.get_running_loop().time()
        working = asyncio.ensure_future(house.people(BAD, 0.7))
        await asyncio.sleep(LASTING)
        working.cancel()
        await asyncio.sleep(EVERY)
    polls = {
        name: [each.at for each in copper.requests if each.at >= began and each.what.endswith("/search")]
        for name, copper in house.coppers.items()
    }
    busy, quiet = (most_in_any(60.0, polls[name]) for name in (BAD, GOOD[0]))
    share = PER_MINUTE * SHARES[Lane.POLLS] / 100 / 2
    usual = len(ENTITIES) * 60 / EVERY
    print(
        f"seed {SEED}: a busy account was polled {busy} times in any 60 s at most, for {share:.1f} that may be and "
        f"{usual:.0f} are usual; a quiet one {quiet}; changes came after {max(house.gaps(BAD)):.1f} s at most"
    )
    assert 1.5 * usual <= busy <= share + len(ENTITIES)  # where 60 s begin, one of each is counted more
    assert quiet <= usual / (1 - JITTER) + len(ENTITIES)
    assert all(most_in_any(60.0, [each.at for each in copper.requests]) <= 180 for copper in house.coppers.values())
