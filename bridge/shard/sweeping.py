"""Sweeping: every known id of an account is asked for now and then, so that no delete stays unnoticed.

The decisions are `policy.sweeps`; this flow asks and writes. Every answer and the place to go on from are committed
together, so a sweep of hours survives restarts, and what it finds counts once. Records it sees on its way are judged
like any other sighting. Called by the shard session, one flow per account; woken by `shard.controlling`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bridge.contract.announcements import Announcement, announcement_record
from bridge.contract.events import Change, Fate
from bridge.policy import sweeps
from bridge.policy.changes import Sighting
from bridge.policy.sightings import Record, Trouble, Via
from bridge.policy.sweeps import Brake, Held, Sweep, SweepState
from bridge.shard.asking import Asking, SweepVoid
from bridge.shard.cursors import following_since
from bridge.shard.fates import merge_fate
from bridge.shard.ports import Copper, Draft, Ledger
from bridge.shard.publishing import Publishing
from bridge.shard.sweep_state import news, read_sweeps, write_sweeps

T = TypeVar("T")

AT_ONCE = 200
"""Ids per question: what one search takes."""
VOID_SECONDS = 600.0
"""After a void sweep, before the next one at most."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What to sweep, and how. Seconds throughout."""

    account: str
    entities: Sequence[str]
    every: float
    index_lag: float
    overlap: int
    brake: Brake


class Sweeping:
    """The flow for one account. `asked` is set when an operator wants something."""

    def __init__(
        self,
        swept: Swept,
        copper: Copper,
        ledger: Ledger,
        publishing: Publishing,
        asked: asyncio.Event,
        observe: Callable[[Announcement], None],
        holding: Callable[[str, Held | None], None],
    ) -> None:
        """`observe` is told what is announced, `holding` what is held back whenever that may have changed."""
        self._swept = swept
        self._asking = Asking(copper)
        self._ledger = ledger
        self._publishing = publishing
        self._asked = asked
        self._observe = observe
        self._holding = holding

    async def run(self) -> None:
        """Sweep when it is time or when asked, for ever."""
        clock = self._publishing.clock
        while True:
            self._asked.clear()
            state = self._state
            self._holding(self._swept.account, state.held)
            seconds = None if state.held else sweeps.due_at(state, every=self._swept.every, now=clock()) - clock()
            if seconds is None or (seconds > 0 and state.viewer is not None):
                await self._pause(seconds)
                continue
            try:
                await self._sweep()
            except SweepVoid as void:
                await self._void(void.trouble)
                await self._pause(min(VOID_SECONDS, self._swept.every))

    @property
    def _state(self) -> SweepState:
        return read_sweeps(self._publishing.memory.known, self._swept.account)

    async def _pause(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            pass

    async def _sweep(self) -> None:
        """From where the last session left off to the end, or until it is held or void."""
        if not await self._viewed():
            return
        while (sweep := self._state.sweep) is not None and sweep.entity is not None:
            await self._ask(sweep, sweep.entity)
        if sweep is None:
            return
        if sweep.missing:
            await asyncio.sleep(max(0.0, sweep.asked_at + self._swept.index_lag - self._publishing.clock()))
        if not await self._viewed() or await self._held():
            return
        while (sweep := self._state.sweep) is not None and sweep.missing:
            await self._confirm(sweep)
        await self._finish()

    async def _viewed(self) -> bool:
        """Look who asks; begin a sweep if none is under way. False when the deletes are held back now."""
        viewer = await self._asking.viewer()

        def change(state: SweepState, now: float) -> SweepState:
            first = state.viewer is None and state.sweep is None and state.finished_at is None
            state = sweeps.viewed_by(state, viewer, now=now)
            if first:
                return replace(state, finished_at=now)  # nothing is known yet that could be missing
            return state if state.held or state.sweep else sweeps.begun(state, self._swept.entities)

        state = await self._change(change)
        return state.held is None and state.sweep is not None

    async def _ask(self, sweep: Sweep, entity: str) -> None:
        """One question of up to 200 ids, and its answer's consequences."""
        asked_s = self._publishing.clock()
        keys = self._publishing.memory.known.living(
            entity,
            self._swept.account,
            after=sweep.after,
            learned_by=asked_s - self._swept.index_lag,  # what is younger, search need not show yet
            limit=AT_ONCE,
        )
        ids = [int(key.rpartition("/")[2]) for key in keys]
        page = await self._asking.page(entity, ids)
        records = page.records if page else ()

        def change(state: SweepState, now: float) -> SweepState:
            if state.sweep != sweep:
                return state  # an operator has decided otherwise meanwhile
            if page is None:
                return replace(state, sweep=sweeps.advanced(sweep, self._swept.entities))
            found = {record["id"] for record in records}
            return replace(state, sweep=sweeps.answered(sweep, ids, found, after=keys[-1], now=now))

        await self._change(change, lambda draft: self._sight(draft, entity, records, asked_s, authoritative=False))

    async def _held(self) -> bool:
        """Hold the deletes back if there are too many."""

        def change(state: SweepState, now: float) -> SweepState:
            return (
                state
                if state.sweep is None
                else replace(state, held=sweeps.judge(state.sweep, self._swept.brake, now=now))
            )

        return (await self._change(change)).held is not None

    async def _confirm(self, sweep: Sweep) -> None:
        """Ask for suspects by id, a few at a time, and publish those that are gone."""
        entity, suspects = next(iter(sweep.missing.items()))
        ids = suspects[:AT_ONCE]
        asked_s = self._publishing.clock()
        there: list[Record] = []
        for record_id in ids:
            record = await self._asking.record(entity, record_id)
            there += [] if record is None else [record]
        gone = [each for each in ids if each not in {record["id"] for record in there}]
        converted = await self._asking.conversions(entity, gone)

        def change(state: SweepState, _now: float) -> SweepState:
            if state.sweep != sweep:
                return state
            return replace(state, sweep=sweeps.settled(sweep, entity, ids, deleted=deleted))

        deleted = 0

        def publish(draft: Draft) -> None:
            nonlocal deleted
            self._sight(draft, entity, there, asked_s, authoritative=True)
            deleted = sum(self._delete(draft, entity, each, converted.get(each)) for each in gone)

        await self._change(change, publish)

    def _sight(
        self, draft: Draft, entity: str, records: Sequence[Record], asked_s: float, *, authoritative: bool
    ) -> None:
        """What a sweep sees is judged as well: whatever escaped every scan is caught here."""
        account, known = self._swept.account, self._publishing.memory.drafted
        since = following_since(known, account, entity, asked_s) - self._swept.overlap
        for record in records:
            self._publishing.sight(draft, Sighting(account, entity, record, Via.SWEEP, authoritative, asked_s), since)

    def _delete(self, draft: Draft, entity: str, record_id: int, converted: Fate | None) -> bool:
        account, publishing = self._swept.account, self._publishing
        known = publishing.known(account, entity, record_id)
        since = self._state.finished_at or publishing.clock() - self._swept.every
        fate = converted or merge_fate(
            publishing.memory.drafted, account, entity, known.record if known else None, since=since
        )
        verdict = publishing.miss(
            draft, account, entity, record_id, Via.SWEEP, happened_s=publishing.clock(), announced=False, fate=fate
        )
        return isinstance(verdict, Change)

    async def _finish(self) -> None:
        def change(state: SweepState, now: float) -> SweepState:
            over = state.sweep is not None and state.sweep.entity is None
            return sweeps.finished(state, now=now) if over else state

        await self._change(change)

    async def _void(self, trouble: Trouble) -> None:
        await self._change(lambda state, _now: sweeps.voided(state), void=trouble)

    async def _change(
        self,
        change: Callable[[SweepState, float], SweepState],
        publish: Callable[[Draft], None] = lambda _draft: None,
        *,
        void: Trouble | None = None,
    ) -> SweepState:
        """One transaction: what was found, the new state, and what there is to tell of it."""
        publishing, account = self._publishing, self._swept.account

        def write(draft: Draft) -> tuple[SweepState, Announcement | None]:
            publish(draft)
            before, now = read_sweeps(publishing.memory.drafted, account), publishing.clock()
            state = change(before, now)
            if state != before:
                write_sweeps(draft, publishing, account, state)
            told = news(account, before, state, round(now * 1000), void)
            if told is not None:
                draft.add(announcement_record(told, publishing.names, publishing.shard))
            return state, told

        state, told = await self._ledger.commit(write)
        if told is not None:
            self._observe(told)
        return state
