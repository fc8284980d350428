"""Sessions of a shard: the order in which one begins, how it ends, and what follows."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bridge.contract.cursors import position_key
from bridge.contract.records import Incoming, Outgoing
from bridge.policy.sessions import FENCED_PAUSE_SECONDS, Ending, SessionEnded
from bridge.shard.cursors import cursor_record
from bridge.shard.opening import HANDOVER_SECONDS
from bridge.shard.parts import Flow, Flows, Inlet, Parts
from bridge.shard.ports import Changelog, Ledger, Membership, Sink
from bridge.shard.session import PULSE_SECONDS, STEADY_SECONDS, own
from tests.unit.shard.log import COMMIT_SECONDS, LedgerInMemory
from tests.unit.shard.stage import NAMES, SHARD, Stage

DAY = 86400.0
CALL_SECONDS = 1.5

T = TypeVar("T")


class Steps:
    """Notes the order of what a session does, around the stage's own parts."""

    def __init__(self, stage: Stage) -> None:
        self.done: list[str] = []
        self._stage = stage

    async def holds(self, shard: int) -> bool:
        self.done.append("still ours?")
        return await self._stage.membership.holds(shard)

    async def bounds(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        self.done.append("bounds")
        return await self._stage.changelog.bounds()

    async def replay(
        self,
        since: Mapping[str, int],
        until: Mapping[str, int],
        learn: Callable[[Sequence[Incoming], Mapping[str, int]], None],
    ) -> int:
        self.done.append("replay")
        return await self._stage.changelog.replay(since, until, learn)

    def parts(self, parts: Parts) -> Parts:
        def ledger(intact: Callable[[], Awaitable[bool]]) -> Ledger:
            made = parts.ledger(intact)
            stage, done = self._stage, self.done

            class Fencing(LedgerInMemory):
                async def open(self) -> None:
                    done.append("fence")
                    await super().open()

                async def close(self) -> None:
                    done.append("closed")
                    await super().close()

            stage.ledger = Fencing(stage.log, stage.memory, stage.endings)
            assert made is not stage.ledger
            return stage.ledger

        async def input_ends() -> Mapping[str, int]:
            self.done.append("positions")
            return await parts.input_ends()

        def flows(writing: Ledger, fenced_at: float) -> Flows:
            self.done.append("flows")
            return parts.flows(writing, fenced_at)

        return replace(parts, ledger=ledger, changelog=self, membership=self, input_ends=input_ends, flows=flows)


class Idle:
    """A flow that waits, and does `then` when it is told to go on."""

    def __init__(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self.then = then
        self.ended = ""

    async def run(self) -> None:
        try:
            if self.then is not None:
                await self.then()
            else:
                await asyncio.Event().wait()
        except BaseException as problem:
            self.ended = type(problem).__name__
            raise


class Quiet:
    """An inlet that nothing comes through."""

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    def sinks(self) -> dict[str, Sink]:
        return {}

    def positions(self) -> dict[str, int]:
        return {}


def _nothing(_ledger: Ledger, _fenced_at: float) -> Flows:
    return Flows([], [Quiet()])


def _executing(stage: Stage) -> Callable[[Ledger, float], Flows]:
    return lambda ledger, fenced_at: Flows([], [stage.executing(ledger, fenced_at=fenced_at)])


async def _breaks() -> None:
    raise LookupError("a secret value")


def _how(stage: Stage) -> list[Ending]:
    return [how for how, _, _ in stage.ended]


async def _owned(stage: Stage, parts: Parts, until: Callable[[], object]) -> None:
    """Own the shard until so, then stop."""
    stop = asyncio.Event()
    owning = asyncio.create_task(own(parts, stop))
    await stage.until(until)
    stop.set()
    await owning


async def test_the_fakes_pass_as_the_ports_they_stand_for(stage: Stage) -> None:
    steps = Steps(stage)
    ports: tuple[Changelog, Changelog, Membership, Membership] = (steps, stage.changelog, steps, stage.membership)
    flow: tuple[Flow, Inlet] = (Idle(), Quiet())
    assert len(ports) + len(flow) == 6


async def test_a_session_looks_fences_reads_and_works_last(stage: Stage) -> None:
    steps = Steps(stage)
    await _owned(stage, steps.parts(stage.parts(_nothing)), lambda: stage.opened)
    assert steps.done == [
        "still ours?", "bounds", "replay", "fence", "still ours?", "bounds", "replay", "positions", "flows", "closed"
    ]  # fmt: skip
    assert _how(stage) == [Ending.STOPPED]


@pytest.mark.parametrize(("answers", "fenced"), [([False], False), ([True, False], True)])
async def test_a_shard_that_is_somebody_elses_is_left_alone(stage: Stage, answers: list[bool], fenced: bool) -> None:
    steps = Steps(stage)
    stage.membership.answers.extend(answers)
    await own(steps.parts(stage.parts(_nothing)), asyncio.Event())
    assert (_how(stage), stage.opened) == ([Ending.LOST], 0)
    assert ("fence" in steps.done, steps.done.count("bounds")) == (fenced, int(fenced))


async def test_positions_come_from_the_memory_and_the_gate_opens_after_the_replay(stage: Stage) -> None:
    for _ in range(4):
        stage.send("get", record_id=7)
    position = cursor_record(NAMES, SHARD, position_key(NAMES.commands("company")), {"next": 2, "finished": [3]})
    stage.log.commit([position])
    await _owned(stage, stage.parts(_executing(stage)), stage.replied)
    assert [reply.offset for reply in stage.replied()] == [2]


async def test_a_second_session_replays_the_tail_alone(stage: Stage) -> None:
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")])
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened)
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-2", b"{}")])
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened == 2)
    assert [since.get(NAMES.journal, 0) for since in stage.changelog.replayed] == [0, 2]
    assert stage.memory.known.journal("acme/c-2") == {}


# -------------------------------------------------------------------------------------------------------- its end


async def test_any_error_ends_it_and_another_begins_after_longer_and_longer_pauses(stage: Stage) -> None:
    broken = Idle(_breaks)
    await _owned(stage, stage.parts(lambda *_: Flows([broken], [])), lambda: len(stage.ended) == 9)
    assert set(_how(stage)[:9]) == {Ending.BROKEN}
    at = [when for _, _, when in stage.ended]
    pauses = [later - earlier for earlier, later in pairwise(at[:9])]
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0])


async def test_an_ending_is_told_by_class_and_place_and_without_values(stage: Stage) -> None:
    await _owned(stage, stage.parts(lambda *_: Flows([Idle(_breaks)], [])), lambda: stage.ended)
    _, detail, _ = stage.ended[0]
    assert detail.startswith("LookupError at ")
    assert detail.endswith(" in _breaks")
    assert "secret" not in detail


async def test_a_fenced_session_waits_until_the_assignment_is_known(stage: Stage) -> None:
    async def fenced() -> None:
        raise SessionEnded(Ending.FENCED, "by another")

    await _owned(stage, stage.parts(lambda *_: Flows([Idle(fenced)], [])), lambda: len(stage.ended) == 3)
    at = [when for _, _, when in stage.ended]
    assert at[1] - at[0] == pytest.approx(FENCED_PAUSE_SECONDS)
    assert _how(stage)[:3] == [Ending.FENCED] * 3


async def test_a_session_that_was_open_for_long_starts_the_count_of_endings_afresh(stage: Stage) -> None:
    async def later() -> None:
        await asyncio.sleep(0.0 if len(stage.ended) < 3 else STEADY_SECONDS + 1)
        raise LookupError

    await _owned(stage, stage.parts(lambda *_: Flows([Idle(later)], [])), lambda: len(stage.ended) == 5)
    at = [when for _, _, when in stage.ended]
    assert at[2] - at[1] == pytest.approx(0.4)
    assert at[4] - at[3] == pytest.approx(0.1 + STEADY_SECONDS + 1)


async def test_a_flow_that_returns_though_nobody_asked_it_to_is_an_error(stage: Stage) -> None:
    async def returns() -> None:
        await asyncio.sleep(1)

    await _owned(stage, stage.parts(lambda *_: Flows([Idle(returns)], [])), lambda: stage.ended)
    assert stage.ended[0][:2] == (Ending.BROKEN, "broken: Idle returned although nobody asked it to")


async def test_when_a_session_ends_its_flows_are_cancelled_and_nothing_is_delivered_any_more(stage: Stage) -> None:
    other = Idle()
    steps = Steps(stage)

    async def breaks() -> None:
        await asyncio.sleep(5)
        raise LookupError

    flows = Flows([other, Idle(breaks)], [stage.noticing()])
    await _owned(stage, steps.parts(stage.parts(lambda *_: flows)), lambda: stage.ended)
    assert other.ended == "CancelledError"
    assert "closed" in steps.done


async def test_a_commit_in_doubt_ends_it_and_the_next_session_knows_what_became_of_it(stage: Stage) -> None:
    stage.endings = type(stage.endings)(stage.pulse, 1)
    stage.memory.begin()
    stage.memory.keep({})
    stage.send("get", record_id=7, command_id="c-1")
    await _owned(stage, stage.parts(_executing(stage)), lambda: stage.opened == 2)
    assert stage.endings.passed[:2] == ["before a commit", "a commit that the memory has not kept"]
    assert _how(stage) == [Ending.IN_DOUBT, Ending.STOPPED]
    assert len(stage.replied()) == 1
    assert stage.memory.known.journal("acme/c-1") is not None


@pytest.mark.parametrize("fails", [True, False])
async def test_a_cancellation_ends_it_for_good_whatever_fails_meanwhile(stage: Stage, fails: bool) -> None:
    """A group in which a task fails while it is cancelled forgets the cancellation: another session would begin."""

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if fails:
                raise SessionEnded(Ending.IN_DOUBT, "cancelled in the middle of a commit") from None
            raise

    owning = asyncio.create_task(own(stage.parts(lambda *_: Flows([Idle(work)], [Quiet()])), asyncio.Event()))
    await stage.until(lambda: stage.opened)
    owning.cancel()
    await asyncio.wait([owning], timeout=60)
    assert (owning.cancelled(), stage.opened) == (True, 1)
    assert [(how, detail) for how, detail, _ in stage.ended] == [(Ending.STOPPED, "cut off")]


# --------------------------------------------------------------------------------------------- a shard changes hands


async def _taken_over(stage: Stage, folder: Path, *, told: bool) -> tuple[Stage, float]:
    """A predecessor with a call under way and its successor, which begin to hold the shard at the same moment.

    Gives the successor and the seconds until it was open. `told`: the predecessor knows, too, and drains.
    """
    stage.copper.keep("company", 7, name="Tideglass")
    lost, stop = asyncio.Event(), asyncio.Event()
    before = asyncio.create_task(own(stage.parts(_executing(stage)), lost))
    await stage.until(lambda: stage.opened)
    stage.copper.call_seconds = CALL_SECONDS if told else 2 * HANDOVER_SECONDS
    stage.send("update", record_id=7, data={"name": "Tideglass Works"}, command_id="c-1")
    await stage.until(lambda: stage.memory.known.journal("acme/c-1"))
    if told:
        lost.set()
    after, began = Stage(folder, before=stage), asyncio.get_running_loop().time()
    owning = asyncio.create_task(own(after.parts(_executing(after)), stop))
    await after.until(lambda: after.opened)
    took = asyncio.get_running_loop().time() - began
    before.cancel()
    await asyncio.wait([before])
    await after.until(after.replied)
    stop.set()
    await owning
    after.memory.close()
    return after, took


async def test_a_successor_leaves_its_predecessor_the_time_to_finish_its_calls(stage: Stage, tmp_path: Path) -> None:
    after, took = await _taken_over(stage, tmp_path / "other", told=True)
    assert CALL_SECONDS - 0.5 < took < CALL_SECONDS + 0.5
    assert [how for how, _, _ in stage.ended] == [Ending.STOPPED]
    assert [(reply.status, reply.value["attempts"]) for reply in after.replied()] == [("succeeded", 1)]
    assert after.answered == [], "what was answered before is not answered again"


async def test_a_successor_waits_for_nobody_for_long(stage: Stage, tmp_path: Path) -> None:
    _, took = await _taken_over(stage, tmp_path / "other", told=False)
    assert took == pytest.approx(HANDOVER_SECONDS, abs=0.5)


async def test_nobody_is_waited_for_when_no_call_is_under_way(stage: Stage) -> None:
    stage.send("get", record_id=7, command_id="c-1")
    began = asyncio.get_running_loop().time()
    await _owned(stage, stage.parts(_executing(stage)), stage.replied)
    replied = asyncio.get_running_loop().time()
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened == 2)
    assert asyncio.get_running_loop().time() - replied < 0.5, replied - began


async def test_a_session_at_work_moves_even_if_it_has_nothing_to_do_and_one_that_is_stuck_does_not(
    stage: Stage,
) -> None:
    told: list[tuple[float, str]] = []
    stuck = asyncio.Event()

    class Sticking(LedgerInMemory):
        async def commit(self, write: Callable[[Any], T], *, within: float = 0.0) -> T:
            if stuck.is_set():
                await asyncio.Event().wait()
            return await super().commit(write, within=within)

    parts, loop = stage.parts(_nothing), asyncio.get_running_loop()
    parts = replace(
        parts,
        ledger=lambda _intact: Sticking(stage.log, stage.memory, stage.endings),
        moved=lambda doing: told.append((loop.time(), doing)),
    )
    owning = asyncio.create_task(own(parts, asyncio.Event()))
    await asyncio.sleep(10 * PULSE_SECONDS)
    assert told[0][1] == "waiting for the group"
    assert [doing for _, doing in told].count("at work") == 10
    stuck.set()
    await asyncio.sleep(10 * PULSE_SECONDS)
    assert loop.time() - told[-1][0] > 8 * PULSE_SECONDS
    owning.cancel()
    await asyncio.wait([owning])


# ---------------------------------------------------------------------------------------- a memory that is no use


async def test_a_memory_that_proves_damaged_at_work_is_thrown_away_and_rebuilt(stage: Stage) -> None:
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")])

    async def damaged() -> None:
        await asyncio.sleep(1)
        if not stage.ended:
            raise sqlite3.DatabaseError("disk image is malformed")
        await asyncio.Event().wait()

    await _owned(stage, stage.parts(lambda *_: Flows([Idle(damaged)], [])), lambda: stage.opened == 2)
    assert stage.ended[0][:2] == (
        Ending.BROKEN,
        "the memory file is damaged and will be rebuilt: DatabaseError",
    )
    assert stage.changelog.replayed == [{}, {}]
    assert stage.memory.known.journal("acme/c-1") == {}


async def test_a_command_that_finds_the_memory_damaged_is_carried_out_by_the_next_session(
    stage: Stage, tmp_path: Path
) -> None:
    stage.copper.keep("company", 7, name="Tideglass")

    async def damage() -> None:
        if not stage.ended:
            with sqlite3.connect(tmp_path / "shard.sqlite") as file:
                file.execute("DROP TABLE state")
            file.close()
            stage.send("update", record_id=7, data={"name": "Tideglass Works"}, command_id="c-1")
        await asyncio.Event().wait()

    def flows(ledger: Ledger, fenced_at: float) -> Flows:
        return Flows([Idle(damage)], [stage.executing(ledger, fenced_at=fenced_at)])

    await _owned(stage, stage.parts(flows), stage.replied)
    assert (stage.ended[0][0], stage.opened) == (Ending.BROKEN, 2)
    assert [reply.status for reply in stage.replied()] == ["succeeded"]
    assert stage.unexpected == []


@pytest.mark.parametrize("end", [99, -1])
async def test_a_memory_whose_offsets_lie_outside_the_log_is_thrown_away(stage: Stage, end: int) -> None:
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")])
    stage.memory.replay([], {NAMES.journal: end})
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened)
    assert stage.changelog.replayed == [{}]
    assert stage.memory.known.journal("acme/c-1") == {}


@pytest.mark.parametrize(("days", "rebuilt"), [(3.4, False), (3.6, True)])
async def test_a_memory_that_may_have_missed_a_tombstone_is_thrown_away(
    stage: Stage, days: float, rebuilt: bool
) -> None:
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")])
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened)
    await asyncio.sleep(days * DAY)
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened == 2)
    assert (stage.changelog.replayed[1:] == [{}]) is rebuilt


async def test_what_the_topics_have_dropped_is_dropped_from_the_memory_too(stage: Stage) -> None:
    stage.log.commit([Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")])
    await asyncio.sleep(31 * DAY)
    await _owned(stage, stage.parts(_nothing), lambda: stage.opened)
    assert stage.memory.known.journal("acme/c-1") is None


async def test_an_input_topic_that_was_made_again_is_refused_by_name(stage: Stage) -> None:
    topic = NAMES.commands("company")
    stage.log.commit([cursor_record(NAMES, SHARD, position_key(topic), {"next": 5, "finished": []})])
    await _owned(stage, stage.parts(_nothing), lambda: stage.ended)
    assert (stage.ended[0][0], stage.opened) == (Ending.CUT_OFF, 0)
    assert f"{topic} ends at 0, before the position 5" in stage.ended[0][1]


# ------------------------------------------------------------------------------------------------------------ a stop


async def test_a_stop_drains_what_has_begun(stage: Stage) -> None:
    reading = Idle()
    stop = asyncio.Event()
    parts = stage.parts(lambda ledger, at: Flows([reading], [stage.executing(ledger, fenced_at=at)]))
    owning = asyncio.create_task(own(parts, stop))
    stage.send("create", data={"name": "Tideglass"})
    await stage.until(lambda: stage.called("execute"))
    stop.set()
    await owning
    assert (_how(stage), len(stage.replied()), reading.ended) == ([Ending.STOPPED], 1, "CancelledError")


async def test_a_stop_does_not_cut_a_commit_that_is_under_way(stage: Stage) -> None:
    stop = asyncio.Event()

    def flows(ledger: Ledger, _fenced_at: float) -> Flows:
        async def write() -> None:
            await ledger.commit(lambda draft: draft.add(Outgoing(NAMES.journal, SHARD, b"acme/c-1", b"{}")))

        return Flows([Idle(write)], [Quiet()])

    owning = asyncio.create_task(own(stage.parts(flows), stop))
    await stage.until(lambda: stage.opened)
    await asyncio.sleep(COMMIT_SECONDS / 2)
    stop.set()
    await owning
    assert (_how(stage), len(stage.log.transactions)) == ([Ending.STOPPED], 1)
    assert stage.memory.known.journal("acme/c-1") == {}


async def test_a_stop_between_two_sessions_is_heeded(stage: Stage) -> None:
    stop = asyncio.Event()
    owning = asyncio.create_task(own(stage.parts(lambda *_: Flows([Idle(_breaks)], [])), stop))
    await stage.until(lambda: len(stage.ended) == 5)
    stop.set()
    await owning
    assert stage.opened == 5
