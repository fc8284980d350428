"""What operators look at, and callers that sign, with a bridge at work that takes signed commands only."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.client import CommandFailed, CopperCommands, SigningKey
from bridge.sandbox.copper import CopperDouble, Knobs
from tests.integration.bridge.stage import ENTITIES, Stage, stage

PATIENCE_S = 150
ACCOUNT, OTHER = "acme", "zenith"
SECRET = "canary-canary-canary"
SIGNING = {"COPPER_SIGNING_KEY_ID": "shop", "COPPER_SIGNING_SECRET": SECRET}
FOLLOWED = ("company", "task")
THEIRS = "https://elsewhere.example/hook/canary"


def furnish(copper: CopperDouble) -> None:
    """Somebody else's subscription."""
    their = {"target": THEIRS, "type": "company", "event": "delete", "headers": {"X-Theirs": "canary"}}
    copper.account(ACCOUNT).subscriptions.create(their, now=copper.clock())


@pytest.fixture(scope="module")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    unfollowed = {entity: {"enabled": False} for entity in ENTITIES if entity not in FOLLOWED}
    async with stage(
        bootstrap_servers,
        tmp_path_factory.mktemp("looking"),
        [ACCOUNT, OTHER],
        knobs=Knobs(index_lag=0.2),
        before=furnish,
        webhooks=True,
        events={"poll_every": "10m", **unfollowed, "task": {"poll_every": "2s"}},
        commands={"signing_keys": {"shop": SECRET}},
    ) as here:
        yield here


async def cli(
    play: Stage, *arguments: str, kafka: bool = True, environ: Mapping[str, str] = os.environ
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments),
        *(("-b", play.servers, "--prefix", play.names.prefix) if kafka else ()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert "canary" not in err.decode()
    return process.returncode, out.decode(), err.decode()


async def test_a_signed_call_is_carried_out_and_the_journal_shows_what_became_of_it(
    play: Stage, tmp_path: Path
) -> None:
    create = ("call", "company.create", "name=Tideglass", "--account", ACCOUNT, "--json")
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    named = {"COPPER_SIGNING_KEY_ID": "shop", "COPPER_SIGNING_SECRET_FILE": str(file)}
    unsigned, forged, signed = await asyncio.gather(
        cli(play, *create),
        cli(play, *create, environ=SIGNING | {"COPPER_SIGNING_SECRET": "another-secret-of-16"}),
        cli(play, *create, "--id", "order/1", environ=named),
    )
    assert [code for code, _, _ in (unsigned, forged, signed)] == [6, 6, 0]
    assert [json.loads(out)["error"]["type"] for _, out, _ in (unsigned, forged)] == ["forbidden"] * 2
    made = json.loads(signed[1])["record"]["id"]

    whole, page, absent = await asyncio.gather(
        cli(play, "journal", "show", "order/1", "--json"),
        cli(play, "journal", "show", "order/1", "--account", ACCOUNT),
        cli(play, "journal", "show", "order/1", "--account", OTHER),
    )
    told = json.loads(whole[1])
    assert (told["account"], told["id"], told["action"]) == (ACCOUNT, "order/1", "company.create")
    *_, attempted, answered = told["steps"]  # a busy machine may have it attempted, taken back and attempted again
    assert (attempted["step"], attempted["in_doubt"]) == ("attempted", False)
    assert answered | {"at": ""} == {
        "step": "answered", "at": "", "status": "succeeded", "code": None, "record_id": made, "calls": 1
    }  # fmt: skip
    assert f"answered   succeeded id={made}, 1 call" in page[1]
    assert "Tideglass" not in whole[1] + page[1]
    assert absent[:2] == (6, "")
    assert absent[2].startswith(f"the journal knows no command order/1 of {OTHER}: ")


async def test_a_python_client_with_a_key_is_heard_reads_too_and_one_without_is_not(play: Stage) -> None:
    key = SigningKey("shop", SECRET.encode())
    assert SECRET not in repr(key)
    async with CopperCommands(play.servers, prefix=play.names.prefix, account=OTHER, signing=key) as copper:
        made = await copper.company.create(name="Fernway")
        assert (await copper.company.get(made["id"]))["name"] == "Fernway"
        with pytest.raises(ValueError, match="a signed command needs an id and a deadline"):
            await copper.having(deadline=None).company.get(made["id"])
    async with CopperCommands(play.servers, prefix=play.names.prefix, account=OTHER) as copper:
        with pytest.raises(CommandFailed) as caught:
            await copper.company.get(made["id"])
    assert caught.value.code == "forbidden"


async def test_a_cursor_is_shown_and_set_back_and_what_was_missed_is_published(play: Stage) -> None:
    await play.scanned(ACCOUNT, "task")
    long_ago = int(play.copper.clock()) - 90_000
    stamps = {"date_created": long_ago, "date_modified": long_ago}
    play.account(ACCOUNT).load("task", [{"name": "Missed", **stamps}])
    (missed,) = [int(each["id"]) for each in play.account(ACCOUNT).records("task") if each["name"] == "Missed"]

    _, listed, _ = await cli(play, "cursor", "show", "--json", "--account", ACCOUNT)
    shown = {row["entity"]: row for row in map(json.loads, listed.splitlines())}
    assert sorted(shown) == sorted(FOLLOWED)
    lower = datetime.fromisoformat(shown["task"]["next_scan_from"]).timestamp()
    assert long_ago < lower < play.copper.clock()
    everything = (await cli(play, "cursor", "show"))[1]
    assert f"{play.names.commands('company')} " in everything

    asked, ahead, done = [
        await cli(play, "cursor", "set", *words)
        for words in (
            (ACCOUNT, "task", "26h"),
            (ACCOUNT, "task", datetime.fromtimestamp(lower + 3600, UTC).isoformat(), "--yes"),
            (ACCOUNT, "task", "26h", "--yes"),
        )
    ]
    assert (asked[0], "everything modified in these" in asked[2], "--yes" in asked[2]) == (2, True, True)
    assert (ahead[0], "it would be lost" in ahead[2]) == (6, True)
    assert (done[0], done[1].startswith("control.accepted task: asked set-cursor, from ")) == (0, True), done[2]
    key = f"{ACCOUNT}/{missed}".encode()
    row = await play.log.one(play.names.changes("task"), lambda each: each.key == key)
    assert row.value["op"] == "r"
    await play.scanned(ACCOUNT, "task")
    assert play.log.of(play.names.changes("task"), lambda each: each.key == key) == [row]


async def test_subscriptions_are_listed_and_made_what_they_should_be(play: Stage, tmp_path: Path) -> None:
    await play.log.wait(play.names.cursors, lambda each: each.key == f"subscriptions/{ACCOUNT}".encode())
    file, account = tmp_path / "bridge.yaml", play.account(ACCOUNT)
    webhooks: Any = play.settings.webhooks
    said = {
        "copper": {"base_url": play.copper.base_url, "requests_per_minute": "60"},
        "accounts": {name: {"user_email": f"ops@{name}.example"} for name in (ACCOUNT, OTHER)},
        "kafka": {"bootstrap_servers": play.servers},
        "topics": {"prefix": play.names.prefix},
        "events": {entity: {"enabled": "false"} for entity in ENTITIES if entity not in FOLLOWED},
        "webhooks": {"public_url": webhooks.public_url},
    }
    file.write_text(json.dumps(said))
    keys = {f"BRIDGE_ACCOUNTS__{name.upper()}__API_KEY": f"{name}-key" for name in (ACCOUNT, OTHER)}

    async def told(*words: str) -> tuple[int, list[tuple[str, str, str, str | None]]]:
        code, out, _ = await cli(play, "webhooks", *words, "-c", str(file), "--json", kafka=False, environ=keys)
        assert "canary" not in out
        rows = map(json.loads, out.splitlines())
        return code, sorted((row["entity"], row["event"], row["state"], row["target"]) for row in rows)

    address = f"{webhooks.public_url}/webhooks/copper/{ACCOUNT}"
    ours = [(entity, event, "ours", address) for entity in FOLLOWED for event in ("delete", "new", "update")]
    theirs = ("company", "delete", "foreign", "elsewhere.example")
    whole = sorted([theirs, *ours])
    gone = next(row["id"] for row in account.subscriptions.list() if row["type"] == "task" and row["event"] == "new")
    account.subscriptions.delete(gone)
    lacking = sorted([*(row for row in whole if row[:2] != ("task", "new")), ("task", "new", "missing", None)])
    assert await told("sync", "--dry-run", "--account", ACCOUNT) == (8, lacking)
    assert await told("sync", "--account", ACCOUNT) == (0, lacking)
    assert await told("ls", "--account", ACCOUNT) == (0, whole)
    wrong = keys | {"BRIDGE_ACCOUNTS__ACME__API_KEY": "another"}
    code, _, err = await cli(play, "webhooks", "ls", "-c", str(file), kafka=False, environ=wrong)
    assert (code, f"{ACCOUNT}: Copper cannot be asked: unauthorized" in err) == (4, True)


async def test_the_status_is_shown_once_or_again_and_again_until_it_is_interrupted(play: Stage) -> None:
    assert play.running is not None
    url = f"http://127.0.0.1:{play.running.internal_port}"
    (code, out, _), (_, table, _) = await asyncio.gather(
        cli(play, "status", "--url", url, "--json", kafka=False), cli(play, "status", "--url", url, kafka=False)
    )
    assert (code, json.loads(out)["ready"]) == (0, True)
    assert table.splitlines()[0] == "ready, shards 0, 1, 2 open of 0, 1, 2"
    assert any(line.split()[:2] == [ACCOUNT, "task"] and "s ago" in line for line in table.splitlines())
    assert f"{ACCOUNT}: " in table
    watching = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "status", "--url", url, "--watch", "--json"), stdout=subprocess.PIPE
    )
    assert watching.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            assert json.loads(await watching.stdout.readline())["ready"]
        watching.send_signal(signal.SIGINT)
        assert await watching.wait() == 130
