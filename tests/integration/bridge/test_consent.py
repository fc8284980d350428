"""Tokens of accounts that connected themselves: never readable, taken back, and sealed with keys that change."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import orjson
import pytest
from cryptography.fernet import Fernet

from bridge.app.sealing import Sealing
from bridge.contract.accounts import connected_from
from bridge.contract.cursors import account_key
from bridge.contract.sharding import shard_of
from bridge.copper.notifications import TOKEN_HEADER
from bridge.telemetry import logs
from tests.integration.bridge.consenting import (
    CONNECTED,
    TOKEN,
    connected,
    consent,
    link,
    shown,
    without_keys,
)
from tests.integration.bridge.reading import PATIENCE_S, Message
from tests.integration.bridge.stage import ENTITIES, LOOK_S, SHARDS, Stage, eventually, stage

FIXED, GLOBEX = "acme", "globex"
BESIDE = next(name for n in range(99) if shard_of(name := f"beside{n}", SHARDS) == shard_of(GLOBEX, SHARDS))
"""In the same shard, so that it would be disturbed first."""
KEYS = {name: Fernet.generate_key().decode() for name in ("2026-11", "2026-12")}
OLD, NEW = KEYS
PAGES = ("/metrics", "/api/status", "/api/accounts", "/", "/api/history", "/readyz")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    for path, text in {f"accounts/{FIXED}/api_key": f"{FIXED}-key", f"oauth/keys/{OLD}": KEYS[OLD]}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


@pytest.fixture(scope="module")
async def play(
    bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory, secrets: Path
) -> AsyncGenerator[Stage]:
    """A bridge with its keys in files and an account of the settings; two that have connected themselves."""
    logs.configure("debug", "json")
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("consent"),
        [FIXED],
        strangers=[GLOBEX, BESIDE],
        webhooks=True,
        secrets=secrets,
        oauth=without_keys,
        events={"poll_every": "10s"},
        server={"token": TOKEN},
    ) as play:
        for account in (GLOBEX, BESIDE):
            await connected(play, account)
        looked = len(ENTITIES) * 3
        await play.log.wait(
            play.names.notifications, lambda each: each.value["type"] == "snapshot.completed", count=looked
        )
        yield play


def everything(play: Stage) -> str:
    """All that is in Kafka, byte for byte."""
    return "\n".join(
        f"{topic} {each.key!r} {each.raw!r} {each.pairs!r}"
        for topic, messages in play.log.messages.items()
        for each in messages
    )


def on_disk(directory: Path) -> str:
    """All that is in the files there, byte for byte."""
    return b"".join(each.read_bytes() for each in directory.rglob("*") if each.is_file()).decode("latin-1")


@pytest.mark.figures
async def test_no_token_no_code_and_no_state_can_be_read_anywhere(
    play: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    double = play.account(GLOBEX)
    await connected(play, GLOBEX)
    made = await play.made(GLOBEX, "company", {"name": "Tideglass"})
    await play.event("company", "created", made, GLOBEX)
    await play.subscribed(GLOBEX)
    carried = next(iter(double.subscriptions.rows.values())).headers or {}
    words = {
        *double.tokens,
        *play.account(BESIDE).tokens,
        *play.copper.oauth.spent,
        *KEYS.values(),
        *play.copper.oauth.clients.values(),
        TOKEN,
        carried[TOKEN_HEADER],
    }
    told = {path: (await play.page(path))[1] for path in PAGES}
    told["Kafka"] = everything(play)
    told["SQLite"] = on_disk(Path(play.settings.state.dir))
    told["log"] = "".join(capfd.readouterr())
    hits = [where for where, text in told.items() for word in words if word in text]
    with capfd.disabled():
        sizes = ", ".join(f"{where} {len(text)}" for where, text in told.items())
        print(f"\n{len(words)} secrets; looked through, in characters: {sizes}; hits: {len(hits)}")
    assert hits == []
    assert len(words) >= 9
    assert all("gAAAA" in told[where] for where in ("Kafka", "SQLite"))
    assert "account.connected" in told["log"]


@pytest.mark.figures
async def test_a_consent_taken_back_stops_one_account_and_the_next_one_loses_nothing(play: Stage) -> None:
    account, began = play.account(GLOBEX), time.monotonic()
    known = await play.made(GLOBEX, "company", {"name": "Known"})
    await play.event("company", "created", known, GLOBEX)
    account.revoke_tokens()
    names = [f"While Revoked {number}" for number in range(10)]
    waiting = [await play.command(GLOBEX, "company", "create", data={"name": name}) for name in names]
    made = [account.create("lead", {"name": name})["id"] for name in names]
    account.edit("company", known, {"details": "edited meanwhile"})
    await _told(play, "account.paused", GLOBEX)
    states = await _states(play)
    assert states[GLOBEX] == "action-required"
    assert {states[FIXED], states[BESIDE]} <= {"on-time", "pending"}
    beside = await play.made(BESIDE, "company", {"name": "Undisturbed"})
    noticed = time.monotonic()
    other = play.account(BESIDE).create("person", {"name": "Undisturbed"})["id"]
    await play.event("person", "created", other, BESIDE)
    noticed = time.monotonic() - noticed
    assert not [each for each in waiting if play.log.of(play.names.replies("company"), _carries(each))]
    assert await consent(await link(play, GLOBEX), GLOBEX) == CONNECTED.format(GLOBEX)
    resumed = time.monotonic()
    await _told(play, "account.resumed", GLOBEX)
    replies = [await play.reply("company", each) for each in waiting]
    for lead in made:
        await play.event("lead", "created", lead, GLOBEX)
    await play.event("company", "updated", known, GLOBEX)
    took = time.monotonic() - resumed
    effects = Counter(row.body.get("name") for row in play.copper.effects(GLOBEX) if row.by == "api")
    print(
        f"\n{len(waiting)} commands and {len(made) + 1} changes waited; all done {took:.1f} s after the next consent; "
        f"executed more than once: {sum(effects[name] > 1 for name in names)}; an event of an account beside it took "
        f"{noticed:.1f} s; in all {time.monotonic() - began:.1f} s"
    )
    assert {each.value["status"] for each in replies} == {"succeeded"}
    assert [effects[name] for name in names] == [1] * len(names)
    assert play.log.of(play.names.event("company", "created"), lambda each: each.key == f"{BESIDE}/{beside}".encode())


@pytest.mark.figures
async def test_keys_are_replaced_while_commands_flow_and_a_missing_one_stops_only_those_it_sealed(
    play: Stage, secrets: Path
) -> None:
    keys, stop = secrets / "oauth/keys", asyncio.Event()
    flowing = asyncio.create_task(_flow(play, stop))
    (keys / NEW).write_text(KEYS[NEW])
    began = time.monotonic()
    await eventually(lambda: all(_sealed_with(play, each) == {NEW} for each in (GLOBEX, BESIDE)))
    took = time.monotonic() - began
    async with asyncio.timeout(PATIENCE_S):
        while (await shown(play, GLOBEX))["key"] != NEW:  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(LOOK_S)
    (keys / OLD).unlink()
    assert (await play.ask(GLOBEX, "company", "search", data={})).value["status"] == "succeeded"
    stop.set()
    statuses = await flowing
    await play.stop()
    await play.start()
    assert (await play.ask(GLOBEX, "company", "search", data={})).value["status"] == "succeeded"
    assert (await shown(play, GLOBEX))["trouble"] is None
    print(f"\nall sealed anew {took:.1f} s after there was another key; commands meanwhile: {dict(statuses)}")
    assert statuses.keys() == {"succeeded"}

    await play.stop()
    (keys / NEW).unlink()
    (keys / "2027-01").write_text(Fernet.generate_key().decode())
    await play.start()
    waiting = await play.command(GLOBEX, "company", "create", data={"name": "Before The Key"})
    assert (await play.ask(FIXED, "company", "search", data={})).value["status"] == "succeeded"
    async with asyncio.timeout(PATIENCE_S):
        while (states := await _states(play))[GLOBEX] != "action-required":  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(LOOK_S)
    assert states[FIXED] in {"on-time", "pending"}
    row = await shown(play, GLOBEX)
    assert "oauth.keys" in row["trouble"]
    assert row["key"] is None
    assert not play.log.of(play.names.replies("company"), _carries(waiting))
    (keys / NEW).write_text(KEYS[NEW])
    assert (await play.reply("company", waiting)).value["status"] == "succeeded"
    assert (await shown(play, GLOBEX))["trouble"] is None
    await eventually(lambda: _sealed_with(play, GLOBEX) == {"2027-01"})


async def _states(play: Stage) -> dict[str, str]:
    """The word for each account."""
    accounts = orjson.loads((await play.page("/api/status"))[1])["accounts"]
    return {name: account["state"] for name, account in accounts.items()}


async def _flow(play: Stage, stop: asyncio.Event) -> Counter[str]:
    """Commands, one after the other; how they ended."""
    ended = Counter[str]()
    while not stop.is_set():
        for account in (GLOBEX, BESIDE, FIXED):
            ended[(await play.ask(account, "company", "search", data={})).value["status"]] += 1
        await asyncio.sleep(0.5)  # a minute's calls are counted
    return ended


def _sealed_with(play: Stage, account: str) -> set[str | None]:
    """Names of the keys that seal an account's newest entry, in the topic that all read and in its owner's cursor."""
    topic = [each for each in play.log.of(play.names.accounts) if each.key == account.encode()][-1]
    cursor = [each for each in play.log.of(play.names.cursors) if each.key == account_key(account).encode()][-1]
    directory = Path(play.settings.secrets_dir) / "oauth/keys"
    sealing = Sealing({each.name: each.read_text() for each in directory.iterdir()})
    return {sealing.key_of(connected_from(account, each.value).sealed) for each in (topic, cursor)}


def _carries(correlation: bytes) -> Callable[[Message], bool]:
    return lambda each: correlation in each.headers.values()


async def _told(play: Stage, what: str, account: str) -> None:
    await play.log.wait(
        play.names.notifications, lambda each: each.value["type"] == what and each.value["account"] == account
    )
