"""Credentials are refused and replaced while a real bridge works: its account waits, and nothing is lost or doubled."""

import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.sandbox.copper import Account, CopperDouble, Fault
from tests.integration.bridge.stage import Stage, eventually, stage

ACME, OTHER = "acme", "globex"
ROTATIONS = 3
MAKING = 5
"""Commands and edits of people in every pause."""


class Mounted:
    """Secret files as Kubernetes mounts them: links into a hidden directory that is swapped as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version = 0
        self._keys: dict[str, str] = {}

    def put(self, account: str, key: str) -> None:
        self._keys[account] = key
        self._version += 1
        inside = self.folder / f"..{self._version}"
        inside.mkdir()
        for name, value in self._keys.items():
            (inside / f"accounts__{name}__api_key").write_text(value, encoding="utf-8")
            link = self.folder / f"accounts__{name}__api_key"
            if not link.is_symlink():
                link.symlink_to(f"..data/{link.name}")
        (self.folder / "..tmp").symlink_to(inside.name)
        (self.folder / "..tmp").replace(self.folder / "..data")


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Mounted:
    return Mounted(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
async def bridge(
    bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory, mounted: Mounted
) -> AsyncGenerator[Stage]:
    """Two accounts at work, their keys in mounted files."""

    def before(copper: CopperDouble) -> None:
        for account in copper.accounts.values():
            mounted.put(account.name, account.config.api_key)

    directory, secrets = tmp_path_factory.mktemp("state"), mounted.folder
    quick = {"poll_every": "1s"} | {entity: {"enabled": False} for entity in ("task", "project", "opportunity")}
    async with stage(bootstrap_servers, directory, [ACME, OTHER], before=before, secrets=secrets, events=quick) as play:
        for account in (ACME, OTHER):
            await play.scanned(account, "company")
        yield play


def told(play: Stage, account: str = ACME) -> list[str]:
    messages = play.log.of(play.names.notifications, lambda each: each.key == account.encode())
    return [each.value["type"] for each in messages if each.value["type"].startswith("account.")]


async def until_told(play: Stage, what: str, count: int) -> None:
    await play.log.wait(play.names.notifications, lambda each: each.value["type"] == what, count=count)


async def status(play: Stage, account: str) -> Any:
    assert play.running is not None
    url = f"http://127.0.0.1:{play.running.internal_port}/api/status"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return (await answer.json())["accounts"][account]


def effects(people: Account, action: str = "create") -> list[str]:
    """Names of what commands have created."""
    return [each.record["name"] for each in people.effects if each.by == "api" and each.record and each.kind == action]


@pytest.mark.figures
async def test_a_revoked_key_holds_everything_of_its_account_until_a_new_one_is_mounted(
    bridge: Stage, mounted: Mounted
) -> None:
    people, seconds, sent, late, edited = bridge.account(ACME), list[float](), dict[bytes, str](), [], list[int]()
    for number in range(1, ROTATIONS + 1):
        people.revoke()
        await until_told(bridge, "account.paused", number)
        seen = len(bridge.calls(ACME))
        until = datetime.now(UTC).timestamp() + 1.0
        late = [await bridge.command(ACME, "lead", "create", deadline=until, data={"name": "late"}) for _ in range(3)]
        for each in range(MAKING):
            name = f"held {number}.{each}"
            sent[await bridge.command(ACME, "company", "create", command_id=name, data={"name": name})] = name
            edited.append(int(people.create("company", {"name": f"by people {number}.{each}"})["id"]))
        replies = [await bridge.reply("lead", each) for each in late]
        assert [reply.value["status"] for reply in replies] == ["expired"] * 3
        shown = await status(bridge, ACME)
        assert shown["paused"]["reason"] == "unauthorized"
        assert await bridge.metric("copper_bridge_account_paused", account=ACME) == 1
        other = await bridge.ask(OTHER, "company", "create", data={"name": f"undisturbed {number}"})
        assert other.value["status"] == "succeeded"
        assert {call.path for call in bridge.calls(ACME)[seen:]} <= {"/account"}
        people.restore(f"{ACME}-key-{number}")
        mounted.put(ACME, f"{ACME}-key-{number}")
        began = time.monotonic()
        await until_told(bridge, "account.resumed", number)
        seconds.append(time.monotonic() - began)
    replies = [await bridge.reply("company", each) for each in sent]
    for record_id in edited:
        await bridge.event("company", "created", record_id, ACME)
    await bridge.log.caught_up()
    doubled = len(effects(people)) - len(set(effects(people)))
    letters = sum(len(bridge.log.of(bridge.names.dead_letters(entity))) for entity in ("company", "lead"))
    print(
        f"{ROTATIONS} keys revoked and replaced, {len(sent)} commands held, {len(edited)} edits: longest time from a "
        f"new file to work {max(seconds):.2f} s; effects doubled {doubled}, dead letters {letters}"
    )
    assert {reply.value["status"] for reply in replies} == {"succeeded"}
    assert sorted(effects(people)) == sorted(sent.values())
    assert (doubled, letters) == (0, 0)
    assert max(seconds) < 10.0
    assert told(bridge) == ["account.paused", "account.resumed"] * ROTATIONS
    assert told(bridge, OTHER) == []
    assert (await status(bridge, ACME))["paused"] is None
    assert await bridge.metric("copper_bridge_account_paused", account=ACME) == 0


async def test_a_new_key_beside_the_old_one_is_taken_up_by_a_working_bridge_and_nothing_is_refused(
    bridge: Stage, mounted: Mounted
) -> None:
    people, seen, pauses = bridge.account(OTHER), len(bridge.copper.calls), told(bridge, OTHER)
    people.add_key("the-next-key")
    mounted.put(OTHER, "the-next-key")
    await eventually(lambda: people.used_key == "the-next-key")
    people.restore("the-next-key")
    reply = await bridge.ask(OTHER, "company", "create", data={"name": "With the new key"})
    assert reply.value["status"] == "succeeded"
    await bridge.scanned(OTHER, "company")
    assert 401 not in {call.status for call in bridge.copper.calls[seen:]}
    assert told(bridge, OTHER) == pauses


async def test_a_403_for_everything_pauses_as_well_and_passes_by_itself(bridge: Stage) -> None:
    before = len(told(bridge))
    bridge.copper.fault(Fault("status", status=403, message="Not permitted", account=ACME, times=None))
    await until_told(bridge, "account.paused", before // 2 + 1)
    waiting = await bridge.command(ACME, "company", "create", data={"name": "Patient"})
    assert (await status(bridge, ACME))["paused"]["reason"] == "forbidden"
    bridge.copper.clear_faults()
    assert (await bridge.reply("company", waiting)).value["status"] == "succeeded"
