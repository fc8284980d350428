"""An account whose credentials are refused: it pauses as a whole, and goes on by itself when they work."""

import asyncio
from itertools import pairwise
from typing import Any, cast

import pytest

from bridge.contract.commands import Command, decode
from bridge.copper.client import CopperAccount
from bridge.policy import outcomes
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.shard.pausing import Pausing
from bridge.shard.ports import Copper, Gate
from tests.unit.shard.guarded import KEY, NEXT, ROUND_TRIP, Guarded
from tests.unit.shard.stage import ACCOUNT, NAMES, Stage

PROBE = "GET /account"
CREATE = "POST /companies"
REASONS = [(401, "unauthorized"), (403, "forbidden")]


class Play:
    """A shard over a guarded Copper."""

    def __init__(self, stage: Stage, guarded: Guarded | None = None) -> None:
        self.stage = stage
        self.guarded = guarded or Guarded(stage.clock, stage.pulse)
        self.account = self.guarded.account(ACCOUNT)
        stage.copper = cast("Any", self.account)
        self.seen: list[Paused | None] = []

    @property
    def pausing(self) -> Pausing:
        def observe(_account: str, paused: Paused | None) -> None:
            self.seen.append(paused)
            self.stage.pulse.beat()

        stage = self.stage
        return Pausing(ACCOUNT, self.account.gate, stage.ledger, stage.publishing(), observe)

    def command(self) -> Command:
        """A create, as the shard takes it in."""
        position = self.stage.send("create", data={"name": "Tideglass"})
        record = self.stage.log.of(position.topic)[-1]
        found = decode(record, entity="company", names=NAMES, accounts=[ACCOUNT], allowed_replies=())
        assert isinstance(found, Command)
        return found

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Of pauses."""
        told = [(each["type"], each["data"]) for each in self.stage.announced()]
        return [(what, data) for what, data in told if what.startswith("account.")]

    async def until_paused(self) -> None:
        await self.stage.until(lambda: self.account.gate.paused and self.told())

    def revoke(self, status: int = 401) -> None:
        """Nothing is let in any more."""
        self.guarded.refused["*"] = status

    def restore(self) -> None:
        self.guarded.refused.clear()


@pytest.fixture
async def play(stage: Stage) -> Play:
    return Play(stage)


WRITTEN_S = 0.1
"""A commit takes less in the log of these tests."""


def _now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_account_passes_as_the_ports_of_the_shard(play: Play) -> None:
    ports: tuple[Copper, Gate] = (play.account, play.account.gate)
    assert len(ports) == 2


@pytest.mark.parametrize(("status", "reason"), REASONS)
async def test_of_a_paused_account_nothing_is_asked_but_ever_more_seldom_whether_it_works(
    play: Play, status: int, reason: str
) -> None:
    stage, guarded = play.stage, play.guarded
    async with stage.at_work(stage.executing(), plain=[play.pausing, stage.polling("lead"), stage.polling("task")]):
        await asyncio.sleep(60)
        play.revoke(status)
        await play.until_paused()
        for number in range(30):
            stage.send("create", data={"name": f"company {number}"})
        paused = _now()
        await asyncio.sleep(3600)
        assert set(guarded.asked(paused)) == {PROBE}
        probes = [request.at for request in guarded.requests if request.what == PROBE]
        pauses = [later - earlier - ROUND_TRIP for earlier, later in pairwise(probes)]
        longest = [2.0**n + WRITTEN_S * (n == 0) for n in range(6)]  # the pause is written down before the first
        assert [pause for pause, most in zip(pauses, longest, strict=False) if not most / 2.5 <= pause <= most] == []
        assert all(30 <= pause <= outcomes.LONGEST_PAUSE_SECONDS for pause in pauses[6:])
        assert play.told() == [("account.paused", {"reason": reason})]
        assert stage.replied() == []
        play.restore()
        await stage.until(lambda: len(stage.replied()) == 30)
    assert not any(stage.scans)


async def test_commands_of_a_paused_account_expire_at_their_deadlines_and_the_others_are_carried_out_once(
    play: Play,
) -> None:
    stage, guarded = play.stage, play.guarded
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        play.revoke()
        until = [stage.clock() + seconds for seconds in (30, 300, 3000)]
        sent = [stage.send("create", data={"name": f"until {at}"}, deadline=at) for at in until]
        for number in range(40):
            stage.send("create", data={"name": f"patient {number}"}, command_id=f"c-{number}")
        await asyncio.sleep(1000)
        assert [(reply.status, reply.code) for reply in stage.replied()] == [("expired", "would-expire")] * 2
        assert [reply.at for reply in stage.replied()] == pytest.approx(until[:2], abs=0.1)
        play.restore()
        await stage.until(lambda: len(stage.replied()) == 43, within=120)
    rest = {reply.offset: reply.status for reply in stage.replied()[2:]}
    assert set(rest.values()) == {"succeeded"}
    assert sent[2].offset in rest
    assert sorted(row["name"] for row in guarded.records.values()) == sorted(
        [f"until {until[2]}", *(f"patient {number}" for number in range(40))]
    )
    assert (stage.buried, stage.unexpected) == ([], [])
    assert [told for told, _ in play.told()] == ["account.paused", "account.resumed"]


async def test_what_was_refused_in_flight_is_taken_back_so_that_no_restart_doubts(play: Play) -> None:
    stage = play.stage
    play.revoke()
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await play.until_paused()
        await asyncio.sleep(60)
        assert stage.journal() == [("c-1", "attempt"), ("c-1", "void")]


async def test_one_record_that_is_forbidden_is_that_commands_answer_and_pauses_nothing(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    guarded.refused["GET /companies/7"] = 403
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("get", record_id=7)
        await stage.until(stage.replied)
        stage.send("create", data={"name": "Tideglass"})
        await stage.until(lambda: len(stage.replied()) == 2)
    assert [(reply.status, reply.code) for reply in stage.replied()] == [("failed", "forbidden"), ("succeeded", None)]
    assert guarded.asked() == ["GET /companies/7", PROBE, CREATE]
    assert play.told() == []


async def test_a_403_that_copper_does_not_tell_the_reason_of_is_asked_again_and_fails_nothing(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    guarded.keep("companies", 7, name="Tideglass")
    guarded.refused |= {"GET /companies/7": 403, PROBE: 503}
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("get", record_id=7)
        await asyncio.sleep(20)
        assert (stage.replied(), play.told()) == ([], [])
        play.restore()
        await stage.until(stage.replied)
    assert stage.replied()[0].status == "succeeded"


async def test_a_401_pauses_even_when_copper_does_not_answer_the_probe(play: Play) -> None:
    stage = play.stage
    play.guarded.refused |= {CREATE: 401, PROBE: 503}
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "Tideglass"})
        await play.until_paused()
        play.restore()
        await stage.until(stage.replied)
    assert stage.replied()[0].status == "succeeded"


async def test_calls_that_are_refused_together_ask_once_what_it_means(play: Play) -> None:
    stage = play.stage
    play.revoke()
    await asyncio.sleep(60)  # the budget has saved some calls
    began = _now()
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        for number in range(8):
            stage.send("create", data={"name": f"company {number}"})
        await play.until_paused()
        assert play.guarded.asked(began).count(PROBE) == 1


async def test_a_key_that_was_replaced_before_the_old_one_was_refused_pauses_nothing(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "Tideglass"})
        await stage.until(guarded.asked)
        guarded.requests.clear()
        await asyncio.sleep(60)
        guarded.keys = {NEXT}
        stage.send("create", data={"name": "Bluefield"})
        await stage.until(guarded.asked)
        guarded.mounted[ACCOUNT] = NEXT
        await stage.until(lambda: len(stage.replied()) == 2)
    assert [(request.what, request.key) for request in guarded.requests] == [
        (CREATE, KEY),
        (PROBE, NEXT),
        (CREATE, NEXT),
    ]
    assert play.told() == []


async def test_a_new_key_is_tried_within_a_second_however_long_the_old_one_has_been_refused(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    guarded.keys = {NEXT}
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "Tideglass"})
        await asyncio.sleep(4000)
        guarded.mounted[ACCOUNT], renewed = NEXT, stage.clock()
        await stage.until(stage.replied)
    assert stage.replied()[0].at - renewed < 1.0 + 3 * ROUND_TRIP
    assert [(told, data["reason"]) for told, data in play.told()] == [
        ("account.paused", "unauthorized"),
        ("account.resumed", "unauthorized"),
    ]
    assert play.told()[1][1]["seconds"] == pytest.approx(4000, abs=5)


async def test_a_pause_outlives_a_restart_and_the_next_life_begins_with_a_probe(play: Play) -> None:
    stage = play.stage
    play.revoke()
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "Tideglass"})
        await play.until_paused()
    await asyncio.sleep(500)
    again, began = Play(stage, play.guarded), _now()
    async with stage.at_work(stage.executing(), plain=[again.pausing, stage.polling("lead")]):
        await asyncio.sleep(100)
        assert set(play.guarded.asked(began)) == {PROBE}
        play.restore()
        await stage.until(stage.replied)
    assert [told for told, _ in again.told()] == ["account.paused", "account.resumed"]
    assert again.told()[1][1]["seconds"] > 600
    assert stage.cursor(f"paused/{ACCOUNT}") is None


async def test_one_accounts_pause_disturbs_no_other(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    other: CopperAccount = guarded.account("globex")
    guarded.keep("companies", 7, name="Tideglass")
    guarded.mounted[ACCOUNT] = "wrong"
    async with stage.at_work(stage.executing(), plain=[play.pausing]):
        stage.send("create", data={"name": "waits"})
        await play.until_paused()
        began = _now()
        for _ in range(10):
            assert not isinstance(await other.get("company", 7, Lane.CHECKS), Trouble)
        assert _now() - began < 10.0
    assert (other.gate.paused, stage.replied()) == (None, [])


async def test_a_notice_of_a_paused_account_is_looked_up_when_it_goes_on(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    guarded.keep("companies", 7, name="Tideglass")
    play.revoke(403)
    async with stage.at_work(stage.noticing(), plain=[play.pausing]):
        stage.notify("updated", 7)
        await play.until_paused()
        await asyncio.sleep(100)
        play.restore()
        await stage.until(stage.events)
    assert stage.events()[0]["after"]["name"] == "Tideglass"


async def test_a_sweep_that_meets_a_pause_goes_on_after_it_and_is_not_void(play: Play) -> None:
    stage = play.stage
    play.revoke()
    async with stage.at_work(plain=[play.pausing, stage.sweeping("company")]):
        await play.until_paused()
        await asyncio.sleep(100)
        assert {told for told, _ in play.told()} == {"account.paused"}


async def test_what_waits_at_the_gate_does_not_hold_up_a_stop(play: Play) -> None:
    stage = play.stage
    async with stage.at_work(stage.executing(), plain=[play.pausing]) as stop:
        play.revoke()
        for number in range(30):
            stage.send("create", data={"name": f"company {number}"})
        await play.until_paused()
        began = _now()
        stop.set()
    assert _now() - began < 1.0


async def test_a_call_that_is_refused_while_the_shard_stops_is_left_to_the_next_session(play: Play) -> None:
    stage, guarded = play.stage, play.guarded
    async with stage.at_work(stage.executing(), plain=[play.pausing]) as stop:
        play.revoke()
        stage.send("create", data={"name": "Tideglass"}, command_id="c-1")
        await stage.until(guarded.asked)
        began = _now()
        stop.set()
    assert _now() - began < 5.0
    assert (stage.replied(), stage.journal()[-1]) == ([], ("c-1", "void"))


# -------------------------------------------------------------------------------------------- the account by itself


async def test_what_was_admitted_before_a_pause_is_not_sent_in_it(play: Play) -> None:
    account, guarded = play.account, play.guarded
    assert await account.admit(Lane.COMMANDS, "company", deadline=None)
    with account.gate.attended(Paused(Why.UNAUTHORIZED, 0.0)):
        answer = await account.execute(play.command(), deadline=None)
    assert isinstance(answer, Trouble)
    assert (answer.why, guarded.requests) == (Why.PAUSED, [])


async def test_whoever_only_reads_learns_nothing_of_a_pause_but_that_it_took_time(play: Play) -> None:
    stage, account, guarded = play.stage, play.account, play.guarded
    guarded.keep("companies", 7, name="Tideglass")
    play.revoke()
    async with stage.at_work(plain=[play.pausing]):
        began = _now()
        reading = [asyncio.create_task(account.get("company", 7, lane)) for lane in Lane]
        await asyncio.sleep(100)
        assert not any(each.done() for each in reading)
        play.restore()
        found = [await each for each in reading]
    assert [cast("Any", each)["name"] for each in found] == ["Tideglass"] * len(Lane)
    assert _now() - began < 200


async def test_a_call_refused_for_a_key_that_was_replaced_meanwhile_is_made_again_with_the_new_one(play: Play) -> None:
    account, guarded = play.account, play.guarded
    guarded.keep("companies", 7, name="Tideglass")
    guarded.keys = {NEXT}
    reading = asyncio.create_task(account.get("company", 7, Lane.SWEEPS))
    await play.stage.until(guarded.asked)
    guarded.mounted[ACCOUNT] = NEXT
    assert not isinstance(await reading, Trouble)


async def test_records_that_are_forbidden_at_the_same_time_share_a_look_at_the_account_made_after_each(
    play: Play,
) -> None:
    account, guarded = play.account, play.guarded
    guarded.refused["GET /companies/7"] = 403
    await asyncio.sleep(60)  # the budget has saved some calls
    answers = await asyncio.gather(*(account.get("company", 7, Lane.CHECKS) for _ in range(8)))
    assert {cast("Any", each).why for each in answers} == {Why.FORBIDDEN}
    assert guarded.asked().count(PROBE) == 2  # the first of them begins one, the others have come too late for it


async def test_an_account_that_nobody_attends_to_is_never_paused(play: Play) -> None:
    play.revoke()
    for _ in range(3):
        answer = await play.account.get("company", 7, Lane.CHECKS)
        assert isinstance(answer, Trouble)
        assert answer.why is Why.UNAUTHORIZED
    assert play.account.gate.paused is None
