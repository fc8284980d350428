"""Leaving: webhooks go, then what is known if asked, then the account; the world may end at every moment of it."""

import asyncio
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bridge.contract.accounts import Connected, Sealed, Standing, read_entry
from bridge.contract.control import Asked
from bridge.contract.cursors import ScanCursor, subscriptions_key
from bridge.contract.records import Outgoing
from bridge.policy import standings
from bridge.policy.refusals import Paused
from bridge.policy.sightings import Trouble, Why
from bridge.shard.cursors import cursor_record, scan_record
from bridge.shard.governing import Governing, read_account
from bridge.shard.leaving import Leaving
from bridge.shard.parts import Flows
from bridge.shard.ports import Draft
from bridge.shard.resealing import Resealing
from tests.unit.shard.endings import Endings, Manner
from tests.unit.shard.lives import ended_everywhere, live
from tests.unit.shard.stage import ACCOUNT, NAMES, PARTITIONS, SHARD, Stage

COMPANIES = 3
HOOKS = [7, 8]
SEALED = Sealed("sealed token", "sealed secret")
GONE = "account.disconnected"


@dataclass
class Outside:
    """Copper's webhooks and the account's gate."""

    hooks: list[int] = field(default_factory=lambda: [*HOOKS])
    troubles: list[Trouble] = field(default_factory=list)
    waiting: int = 0
    opened: int = 0

    async def unsubscribe(self, made: Collection[int]) -> object | Trouble:
        await asyncio.sleep(1)
        if self.troubles:
            return self.troubles.pop(0)
        self.hooks = [each for each in self.hooks if each not in made]
        return None

    def attended(self, paused: Paused | None) -> AbstractContextManager[None]:
        raise AssertionError(paused)

    async def refused(self) -> Paused:
        raise AssertionError

    async def restored(self) -> None:
        raise AssertionError

    def open(self) -> None:
        self.opened += 1


def governing(stage: Stage) -> Governing:
    return Governing([], PARTITIONS, stage.publishing())


def leaving(stage: Stage, outside: Outside) -> Leaving:
    return Leaving(
        account=ACCOUNT,
        gate=outside,
        unsubscribe=outside.unsubscribe,
        waiting=lambda: outside.waiting,
        ledger=stage.ledger,
        governing=governing(stage),
        jitter=lambda: 0.0,
        observe=stage.told.append,
    )


def entry(standing: Standing, *, forget: bool = False) -> Connected:
    return Connected(ACCOUNT, SEALED, standing, 1_000, 1_500, forget)


async def known(stage: Stage, standing: Standing = Standing.LEAVING, *, forget: bool = False) -> None:
    """An account that stands so, with records, cursors and webhooks."""

    def write(draft: Draft) -> None:
        governing(stage).write(draft, entry(standing, forget=forget))
        for number in range(COMPANIES):
            value = {"id": number, "date_modified": 5}
            draft.add(Outgoing(NAMES.state("company"), SHARD, f"{ACCOUNT}/{number}".encode(), orjson.dumps(value)))
        draft.add(scan_record(NAMES, SHARD, ACCOUNT, "company", ScanCursor(1, 1, None)))
        draft.add(cursor_record(NAMES, SHARD, subscriptions_key(ACCOUNT), {"ids": HOOKS}))

    async with stage.at_work():
        await stage.ledger.commit(write)


async def stand(stage: Stage, after: Connected) -> None:
    await stage.ledger.commit(lambda draft: governing(stage).write(draft, after))


def records(stage: Stage) -> int:
    return len(stage.memory.known.records_of("company", ACCOUNT, 100))


def gone(stage: Stage) -> list[dict[str, object]]:
    return [each["data"] for each in stage.announced() if each["type"] == GONE]


async def test_who_leaves_loses_its_webhooks_is_gone_and_what_is_known_of_its_records_stays(stage: Stage) -> None:
    await known(stage)
    outside = Outside()
    async with stage.at_work(plain=[leaving(stage, outside)]):
        await stage.until(lambda: gone(stage))
    assert (outside.hooks, outside.opened) == ([], 1)
    assert gone(stage) == [{"webhooks": "removed", "tombstones": 0}]
    assert records(stage) == COMPANIES
    assert read_account(stage.memory.known, ACCOUNT) is None
    last = read_entry(stage.log.of(NAMES.accounts)[-1])
    assert last is not None
    assert last[1:] == (ACCOUNT, None)


async def test_who_is_to_be_forgotten_leaves_nothing_behind(stage: Stage) -> None:
    await known(stage, forget=True)
    async with stage.at_work(plain=[leaving(stage, Outside())]):
        await stage.until(lambda: gone(stage))
    assert gone(stage) == [{"webhooks": "removed", "tombstones": COMPANIES}]
    assert (records(stage), stage.memory.known.cursors_of(ACCOUNT)) == (0, [])


async def test_forgetting_may_be_asked_while_the_account_leaves_already(stage: Stage) -> None:
    await known(stage)
    outside = Outside(troubles=[Trouble(Why.NOT_SENT, "away")] * 3)
    async with stage.at_work(plain=[leaving(stage, outside)]):
        await asyncio.sleep(0.5)
        await stand(stage, entry(Standing.LEAVING, forget=True))
        await stage.until(lambda: gone(stage))
    assert gone(stage) == [{"webhooks": "removed", "tombstones": COMPANIES}]


async def test_a_token_that_is_no_longer_good_leaves_the_webhooks_to_who_took_it_back(stage: Stage) -> None:
    await known(stage)
    outside = Outside(troubles=[Trouble(Why.UNAUTHORIZED, "revoked")])
    async with stage.at_work(plain=[leaving(stage, outside)]):
        await stage.until(lambda: gone(stage))
    assert gone(stage) == [{"webhooks": "left", "tombstones": 0}]


async def test_nobody_is_gone_before_its_last_command_has_been_answered(stage: Stage) -> None:
    await known(stage, forget=True)
    outside = Outside(waiting=1)
    async with stage.at_work(plain=[leaving(stage, outside)]):
        await asyncio.sleep(600)
        assert (gone(stage), records(stage)) == ([], COMPANIES)
        outside.waiting = 0
        await stage.until(lambda: gone(stage))


async def test_who_connects_anew_while_leaving_stays(stage: Stage) -> None:
    await known(stage, forget=True)
    outside = Outside(waiting=1)
    async with stage.at_work(plain=[leaving(stage, outside)]):
        await asyncio.sleep(60)
        await stand(stage, standings.connected(entry(Standing.LEAVING, forget=True), ACCOUNT, SEALED, 2_000))
        outside.waiting = 0
        await asyncio.sleep(600)
    assert (gone(stage), records(stage)) == ([], COMPANIES)
    assert read_account(stage.memory.known, ACCOUNT) is not None


async def test_who_is_gone_already_is_not_told_to_be_gone_again(stage: Stage) -> None:
    async with stage.at_work(plain=[leaving(stage, Outside())]):
        await asyncio.sleep(600)
    assert (stage.announced(), stage.log.of(NAMES.accounts)) == ([], [])


async def test_what_another_key_has_sealed_is_sealed_anew_once_and_the_account_stands_as_it_did(stage: Stage) -> None:
    await known(stage, Standing.PAUSED)
    newest, changed = ["old"], asyncio.Event()
    resealed: list[str] = []

    def renewed(kept: Connected) -> Connected | None:
        if kept.sealed.token == newest[0] or newest == ["old"]:
            return None
        resealed.append(kept.account)
        return Connected(
            kept.account, Sealed(newest[0], newest[0]), kept.standing, kept.since_ms, kept.standing_ms, kept.forget
        )

    flow = Resealing(lambda: [ACCOUNT, "nobody"], renewed, changed, stage.ledger, governing(stage))
    async with stage.at_work(plain=[flow]):
        await asyncio.sleep(60)
        assert resealed == []
        newest[:] = ["new"]
        changed.set()
        await asyncio.sleep(60)
        changed.set()
        await asyncio.sleep(60)
    assert len(stage.log.of(NAMES.accounts)) == 2
    after = read_account(stage.memory.known, ACCOUNT)
    assert after is not None
    assert (after.sealed.token, after.standing) == ("new", Standing.PAUSED)


async def test_what_is_asked_of_an_account_is_written_for_all_and_told(stage: Stage) -> None:
    await known(stage, Standing.CONNECTED)
    stage.ask(Asked.PAUSE)
    stage.ask(Asked.PAUSE)
    stage.ask(Asked.RESUME)
    stage.ask(Asked.FORGET)
    async with stage.at_work(stage.controlling()):
        await stage.until(lambda: len(stage.announced()) == 4)
    told = [(each["type"], each["data"]) for each in stage.announced()]
    assert [what for what, _ in told] == ["account.paused", "control.refused", "account.resumed", "account.leaving"]
    assert told[1][1] == {"reason": "it is paused already"}
    assert told[3][1] == {"forget": True}
    written = [read_entry(record) for record in stage.log.of(NAMES.accounts)]
    stood = [each[2].standing for each in written if each is not None and isinstance(each[2], Connected)]
    assert stood == [Standing.CONNECTED, Standing.PAUSED, Standing.CONNECTED, Standing.LEAVING]


async def _broken(folder: Path, nth: int | None, manner: Manner) -> tuple[list[str], list[str]]:
    """One run of forgetting, ended at the nth moment: what is not as promised, and the moments that were passed."""
    stage = Stage(folder / "0")
    await known(stage, forget=True)
    stage.memory.close()
    outside = Outside()
    life = Stage(folder / "0", stage, Endings(stage.pulse, nth, manner))

    def flows_of(stage: Stage) -> Flows:
        return Flows([leaving(stage, outside)], [])

    moments = await live(life, lambda: flows_of(life), lambda: bool(gone(life)), within=3_000.0)
    if life.endings.dead:
        life = Stage(folder / ("1" if manner is Manner.LOSS else "0"), life)
        await live(life, lambda: flows_of(life), lambda: bool(gone(life)), within=3_000.0)
    rebuilt = Stage(folder / "rebuilt", life)
    await live(rebuilt, lambda: Flows([], []), lambda: rebuilt.opened > 0, within=3_000.0)
    wrong = [f"gone {len(gone(rebuilt))} times"] if len(gone(rebuilt)) != 1 else []
    again = Stage(folder / "rebuilt", rebuilt)
    left = [*again.memory.known.cursors_of(ACCOUNT), *again.memory.known.records_of("company", ACCOUNT, 100)]
    again.memory.close()
    return wrong + [f"{each} is there again" for each in left] + [f"webhook {each}" for each in outside.hooks], moments


async def test_whenever_the_world_ends_the_account_is_forgotten_once_and_nothing_comes_back(tmp_path: Path) -> None:
    numbers = iter(range(10_000))

    async def broken(nth: int | None, manner: Manner) -> tuple[list[str], list[str]]:
        return await _broken(tmp_path / str(next(numbers)), nth, manner)

    assert await ended_everywhere(broken) == []
