"""Controlling: what operators ask on the control topic, carried into the shard and answered.

A message's consequences, its answer on the notifications topic and its position are one transaction: it is carried out
once, whatever ends the session. The flows that do the work are woken; what they are to do is in their cursors. Called
by the shard session.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.contract.announcements import Announcement, Told, announcement_record
from bridge.contract.control import Asked, Control, ControlRefused, control_record, decode_control
from bridge.contract.cursors import SnapshotCursor, position_key
from bridge.contract.moments import utc
from bridge.contract.records import Incoming
from bridge.contract.sharding import shard_of
from bridge.policy import sweeps
from bridge.policy.positions import Positions
from bridge.policy.sweeps import SweepState
from bridge.shard.cursors import cursor_record, read_scan, read_snapshot, scan_record, snapshot_record
from bridge.shard.governing import Governing
from bridge.shard.ports import Draft, Ledger, Sink
from bridge.shard.publishing import Publishing
from bridge.shard.sweep_state import read_sweeps, write_sweeps


@dataclass(frozen=True, slots=True)
class Controlled:
    """What can be asked for. `accounts` are all of the bridge; `entities` those that are followed of each."""

    accounts: Collection[str]
    entities: Sequence[str]
    partitions: int
    wake: Mapping[str, asyncio.Event]
    """Account to the event that its sweeps wait for."""
    wake_snapshot: Mapping[tuple[str, str], asyncio.Event]
    """Account and entity to the event that its snapshots wait for."""
    governing: Governing


class Controlling:
    """The flow for the control topic of one shard."""

    def __init__(
        self, controlled: Controlled, ledger: Ledger, publishing: Publishing, observe: Callable[[Announcement], None]
    ) -> None:
        """`observe` is told every answer."""
        self._controlled = controlled
        self._ledger = ledger
        self._publishing = publishing
        self._observe = observe
        self._topic = publishing.names.control
        self._positions = Positions.decode(publishing.memory.known.cursor(position_key(self._topic)))
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue()

    def positions(self) -> dict[str, int]:
        """Where to begin."""
        return {self._topic: self._positions.next}

    def sinks(self) -> dict[str, Sink]:
        """Where control messages go."""
        return {self._topic: self._deliver}

    async def run(self, stop: asyncio.Event) -> None:
        """Carry out one after the other until asked to stop; the rest is delivered again next time."""
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(self._work())
            await stop.wait()
            worker.cancel()

    def _deliver(self, records: Sequence[Incoming]) -> None:
        for record in records:
            if not self._positions.already_finished(record.position.offset):
                self._positions.deliver(record.position.offset)
                self._queue.put_nowait(record)

    async def _work(self) -> None:
        while True:
            await self._take(await self._queue.get())

    async def _take(self, record: Incoming) -> None:
        control = decode_control(record, self._controlled.accounts)

        def write(draft: Draft) -> Announcement | None:
            self._positions.finish(record.position.offset)
            names, shard = self._publishing.names, self._publishing.shard
            draft.add(cursor_record(names, shard, position_key(self._topic), self._positions.encode()))
            return self._answer(draft, control)

        told = await self._ledger.commit(write)
        if told is not None:
            self._observe(told)
        if isinstance(control, Control):
            self._wake(control)

    def _answer(self, draft: Draft, control: Control | ControlRefused) -> Announcement | None:
        """Draft what follows, and the answer; None for a message that goes on to its account's shard."""
        publishing, partitions = self._publishing, self._controlled.partitions
        at_ms = round(publishing.clock() * 1000)
        if isinstance(control, ControlRefused):
            reason = control.reason
            told = Announcement(Told.CONTROL_REFUSED, control.account, at_ms, None, control.id, {"reason": reason})
        elif shard_of(control.account, partitions) != publishing.shard:
            draft.add(control_record(control, publishing.names, partitions))
            return None
        else:
            told = self._carried_out(draft, control, at_ms)
        draft.add(announcement_record(told, publishing.names, publishing.shard))
        return told

    def _carried_out(self, draft: Draft, control: Control, at_ms: int) -> Announcement:
        said = _CARRY_OUT.get(control.asked, Controlling._govern)(self, draft, control)
        account, entity = control.account, control.entity
        if isinstance(said, str):
            return Announcement(Told.CONTROL_REFUSED, account, at_ms, entity, control.id, {"reason": said})
        told, data = said
        return Announcement(told, account, at_ms, entity, control.id, data)

    def _govern(self, draft: Draft, control: Control) -> "_Said":
        return self._controlled.governing.carry_out(draft, control)

    def _snapshot(self, draft: Draft, control: Control) -> "_Said":
        account, view = control.account, self._publishing.memory.drafted
        entities = [each for each in self._controlled.entities if control.entity in {None, each}]
        if not entities:
            return f"events.{control.entity}.enabled is false: it is not followed"
        for entity in entities:
            scan = read_scan(view, account, entity)
            if scan is None or scan.resume_at is not None:
                return f"the first snapshot of {entity} is still being taken"
            if (running := read_snapshot(view, account, entity)) is not None:
                return f"a snapshot of {entity} is being taken already, for {running.control_id}"
        for entity in entities:
            names, shard = self._publishing.names, self._publishing.shard
            draft.add(snapshot_record(names, shard, account, entity, SnapshotCursor(control.id)))
        return Told.CONTROL_ACCEPTED, {"asked": control.asked.value, "entities": entities}

    def _sweep(self, draft: Draft, control: Control) -> "_Said":
        state = read_sweeps(self._publishing.memory.drafted, control.account)
        if state.held is not None:
            return "deletes are held back: approve or reject them first"
        if state.sweep is not None:
            return "a sweep is under way already"
        if control.entity is not None and control.entity not in self._controlled.entities:
            return f"events.{control.entity}.enabled is false: it is not followed"
        entities = self._controlled.entities
        state = sweeps.begun(state, entities, control_id=control.id, only=control.entity)
        write_sweeps(draft, self._publishing, control.account, state)
        return Told.CONTROL_ACCEPTED, {"asked": control.asked.value}

    def _approve(self, draft: Draft, control: Control) -> "_Said":
        return self._decide(draft, control, sweeps.approved, "approved")

    def _reject(self, draft: Draft, control: Control) -> "_Said":
        return self._decide(draft, control, sweeps.rejected, "rejected")

    def _decide(self, draft: Draft, control: Control, decide: "_Decision", decision: str) -> "_Said":
        before = read_sweeps(self._publishing.memory.drafted, control.account)
        if before.held is None:
            return "no deletes of this account are held back"
        state = decide(before, self._controlled.entities, control_id=control.id)
        write_sweeps(draft, self._publishing, control.account, state)
        if state.sweep is not None and state.sweep.approved:
            return Told.CONTROL_ACCEPTED, {"asked": control.asked.value}  # resumed when they have been published
        return Told.DELETES_RESUMED, {"decision": decision, "deleted": 0, "kept": 0}

    def _set_cursor(self, draft: Draft, control: Control) -> "_Said":
        account, entity, to = control.account, control.entity or "", control.to or 0
        view, publishing = self._publishing.memory.drafted, self._publishing
        if entity not in self._controlled.entities:
            return f"events.{entity}.enabled is false: it is not followed"
        scan = read_scan(view, account, entity)
        if scan is None or scan.resume_at is not None:
            return f"the first snapshot of {entity} is still being taken"
        if to > scan.lower:
            return f"what was modified from {utc(scan.lower)} on has not been read yet: it would be lost"
        moved = replace(scan, lower=to)
        draft.add(scan_record(publishing.names, publishing.shard, account, entity, moved))
        known = view.count_since(entity, account, to)
        return Told.CONTROL_ACCEPTED, {
            "asked": control.asked.value, "from": utc(scan.lower), "to": utc(to), "records": known
        }  # fmt: skip

    def _wake(self, control: Control) -> None:
        if (sweep := self._controlled.wake.get(control.account)) is not None:
            sweep.set()
        for (account, _), snapshot in self._controlled.wake_snapshot.items():
            if account == control.account:
                snapshot.set()


_Said = str | tuple[Told, dict[str, object]]
"""Why not, or what to tell."""

_Decision = Callable[..., SweepState]

_CARRY_OUT: Mapping[Asked, Callable[[Controlling, Draft, Control], _Said]] = {
    Asked.SNAPSHOT: Controlling._snapshot,  # noqa: SLF001 - the class's own table
    Asked.SWEEP: Controlling._sweep,  # noqa: SLF001
    Asked.APPROVE_DELETES: Controlling._approve,  # noqa: SLF001
    Asked.REJECT_DELETES: Controlling._reject,  # noqa: SLF001
    Asked.SET_CURSOR: Controlling._set_cursor,  # noqa: SLF001
}
