"""`check` and `topics` on a real Kafka and the double: what is wrong and its exit code, and nothing disturbed."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from typer.testing import CliRunner, Result

from bridge.cli.exits import Exit
from bridge.cli.main import app
from bridge.contract.topics import TopicNames, topic_specs
from bridge.kafka.topics import find
from bridge.policy.checks import Reached
from bridge.sandbox.copper import CopperDouble, DoubleAccount, Fault
from bridge.web.reaching import reach
from tests.integration.bridge.stage import LOOK_S, Stage, stage

NOWHERE = "127.0.0.1:9"


async def invoke(*arguments: str) -> Result:
    """The command line as it is, in a thread with a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


@pytest.fixture(scope="module")
async def copper() -> AsyncGenerator[CopperDouble]:
    async with CopperDouble([DoubleAccount("acme", "acme-key", "ops@acme.example")], seed=7) as double:
        yield double


Parts = dict[str, list[tuple[bool, str, str | None]]]


def parts_of(text: str) -> Parts:
    """The lines of each part, of what `check --json` printed."""
    parts: Parts = {}
    for row in json.loads(text):
        parts.setdefault(row["part"], []).append((row["ok"], row["message"], row["fix"]))
    return parts


async def process(*arguments: str) -> tuple[int | None, Parts]:
    """The same in a process of its own, for when others write to this one's output."""
    command = [sys.executable, "-m", "bridge", *arguments]
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await running.communicate()
    return running.returncode, parts_of(out.decode())


class Desk:
    """A settings file for a bridge that was never started, with a prefix of its own."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.names = TopicNames(settings["topics"]["prefix"])
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")

    async def check(self, *settings: str) -> tuple[int, Parts]:
        """The exit code, and the lines of each part."""
        sets = [part for each in settings for part in ("--set", each)]
        result = await invoke("check", "-c", str(self.path), "--json", *sets)
        return result.exit_code, parts_of(result.stdout)

    async def topics(self, what: str, *settings: str) -> tuple[int, list[str]]:
        """The exit code of `topics plan` or `apply`, and its lines."""
        sets = [part for each in settings for part in ("--set", each)]
        result = await invoke("topics", what, "-c", str(self.path), *sets)
        return result.exit_code, result.stdout.splitlines()


@pytest.fixture
def desk(bootstrap_servers: str, copper: CopperDouble, fresh: Callable[[str], str], tmp_path: Path) -> Desk:
    prefix = fresh("desk")
    return Desk(
        tmp_path / "bridge.yaml",
        {
            "instance": prefix,
            "copper": {"base_url": copper.base_url, "timeout": "2s"},
            "accounts": {"acme": {"user_email": "ops@acme.example", "api_key": "acme-key"}},
            "kafka": {"bootstrap_servers": bootstrap_servers, "request_timeout": "3s"},
            "topics": {"prefix": prefix, "partitions": 2, "replication_factor": 1},
            "state": {"dir": str(tmp_path / "state")},
        },
    )


def bad(parts: Parts) -> list[str]:
    return [part for part, lines in parts.items() for ok, _, _ in lines if not ok]


async def test_topics_are_planned_made_and_as_they_should_be(desk: Desk) -> None:
    specs = topic_specs(desk.names)
    code, planned = await desk.topics("plan")
    assert code == Exit.DIFFERENT
    assert [line.split()[:2] for line in planned] == [["create", spec.name] for spec in specs]
    assert (await desk.topics("plan"))[1] == planned  # nothing was changed
    assert await desk.topics("apply") == (Exit.OK, planned)
    assert await desk.topics("plan") == (Exit.OK, [])
    code, parts = await desk.check("topics.manage=verify")
    assert (code, bad(parts)) == (Exit.OK, [])
    assert list(parts) == ["settings", "state", "copper", "clock", "kafka", "topics", "webhooks"]
    assert parts["topics"][0] == (True, f"all {len(specs)} topics are as they should be", None)
    assert parts["kafka"][1][1].endswith(f"read and write {len(specs)} topics")
    assert not (desk.path.parent / "state").exists()


async def test_settings_of_topics_are_altered_and_what_they_have_of_their_own_is_kept(
    desk: Desk, bootstrap_servers: str
) -> None:
    names = desk.names
    await make(bootstrap_servers, names.changes("lead"), {"retention.ms": "1000", "preallocate": "true"})
    await make(bootstrap_servers, names.state("lead"), {"cleanup.policy": "delete"})
    await make(bootstrap_servers, names.replies("lead"), {"retention.ms": "-1"})
    code, parts = await desk.check()
    assert (code, bad(parts)) == (Exit.KAFKA, ["topics"])
    said = " ".join(message for _, message, _ in parts["topics"])
    assert f"{names.state('lead')}: cleanup.policy is delete, must be compact" in said
    _, planned = await desk.topics("apply")
    assert f"alter   {names.changes('lead')}  retention.ms 1000 -> 1209600000" in planned
    assert await desk.topics("plan") == (Exit.OK, [])
    assert (await config(bootstrap_servers, names.changes("lead")))["preallocate"] == "true"
    assert (await config(bootstrap_servers, names.replies("lead")))["retention.ms"] == "-1"


async def test_a_number_of_partitions_is_never_changed_and_then_nothing_else_is(
    desk: Desk, bootstrap_servers: str
) -> None:
    topic = desk.names.changes("lead")
    await make(bootstrap_servers, topic, {})
    for what in ("plan", "apply"):
        code, lines = await desk.topics(what, "topics.partitions=5")
        assert code == Exit.DIFFERENT
        (line,) = (line for line in lines if line.startswith("cannot"))
        assert line.startswith(
            f"cannot  {topic}  has 2 partitions, topics.partitions says 5; set topics.partitions to 2"
        )
    assert await there(bootstrap_servers, desk.names.prefix) == {topic}


async def test_missing_topics_that_nobody_makes_are_wrong_and_those_that_cannot_be_made(desk: Desk) -> None:
    assert (await desk.check())[0] == Exit.OK
    code, parts = await desk.check("topics.manage=verify")
    assert (code, bad(parts)) == (Exit.KAFKA, ["topics"])
    assert parts["topics"][0][2] == "copper-bridge topics apply"
    code, parts = await desk.check("topics.replication_factor=3")
    assert (code, bad(parts)) == (Exit.KAFKA, ["topics"])
    assert "cannot be made" in parts["topics"][0][1]
    assert "InvalidReplicationFactor" in parts["topics"][0][1]
    assert (await desk.topics("apply", "topics.replication_factor=3"))[0] == Exit.KAFKA


async def test_credentials_that_copper_refuses_are_told_and_all_else_is_looked_at(desk: Desk) -> None:
    code, parts = await desk.check("accounts.acme.api_key=canary")
    assert (code, bad(parts)) == (Exit.COPPER, ["copper"])
    assert parts["copper"][0][1].startswith("acme: unauthorized (401)")
    assert "BRIDGE_ACCOUNTS__ACME__API_KEY" in str(parts["copper"][0][2])
    assert parts["kafka"][0][0]
    assert "canary" not in str(parts)


async def test_what_an_account_has_switched_off_and_a_key_field_that_is_none_are_told(
    desk: Desk, copper: CopperDouble
) -> None:
    copper.fault(Fault("status", status=403, path="/leads/search"))
    code, parts = await desk.check("accounts.acme.key_fields.company=50311")
    assert code == Exit.COPPER
    said = [message for _, message, _ in parts["copper"]]
    assert "acme: lead is switched off in this account" in said
    assert "acme: key_fields.company: 50311 is no Number custom field of company" in said
    assert copper.max_calls_in_any_minute("acme") <= 180
    assert (await desk.check("accounts.acme.key_fields.company=50313"))[0] == Exit.OK


async def test_a_clock_that_is_not_coppers_is_told(desk: Desk, copper: CopperDouble) -> None:
    copper.shift_clock(120)
    try:
        code, parts = await desk.check()
    finally:
        copper.shift_clock(-120)
    assert (code, bad(parts)) == (Exit.COPPER, ["clock"])
    assert "behind Copper's" in parts["clock"][0][1]


async def test_no_kafka_and_no_copper_are_told_at_once(desk: Desk) -> None:
    code, parts = await desk.check(f"kafka.bootstrap_servers={NOWHERE}")
    assert (code, bad(parts)) == (Exit.KAFKA, ["kafka"])
    assert parts["kafka"][0][1].startswith(f"{NOWHERE} cannot be used: ")
    code, parts = await desk.check(f"kafka.bootstrap_servers={NOWHERE}", f"copper.base_url=http://{NOWHERE}")
    assert (code, bad(parts)) == (Exit.COPPER, ["copper", "kafka"])
    assert (await desk.topics("plan", f"kafka.bootstrap_servers={NOWHERE}"))[0] == Exit.KAFKA


async def test_settings_that_are_wrong_are_told_with_their_lines_and_nothing_else_is_looked_at(desk: Desk) -> None:
    desk.path.write_text("copper:\n  timout: 5s\naccounts: {acme: {user_email: a@b}}\n", encoding="utf-8")
    code, parts = await desk.check()
    assert (code, list(parts)) == (Exit.SETTINGS, ["settings"])
    assert parts["settings"][0] == (
        False,
        f"{desk.path}:2: copper.timout: unknown key",
        'did you mean "timeout"?',
    )
    assert "BRIDGE_ACCOUNTS__ACME__API_KEY" in str(parts["settings"][1][2])
    assert (await desk.topics("plan"))[0] == Exit.SETTINGS


async def test_offline_only_files_are_looked_at(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    result = await invoke("check", "-c", str(desk.path), "--offline", "--set", f"state.dir={tmp_path}/occupied")
    assert result.exit_code == Exit.SETTINGS
    assert [line.split()[:2] for line in result.stdout.splitlines() if not line.startswith(" ")] == [
        ["ok", "settings"],
        ["wrong", "state"],
    ]
    assert result.stderr == "1 wrong\n"


@pytest.fixture(scope="module")
async def running(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with stage(bootstrap_servers, tmp_path_factory.mktemp("running"), ["acme"], webhooks=True) as play:
        yield play


async def test_a_bridge_at_work_is_not_disturbed(running: Stage, tmp_path: Path) -> None:
    group = await generation(running)
    path = tmp_path / "bridge.yaml"
    said = running.settings.model_dump(mode="json", include={"instance", "topics", "webhooks", "state"})
    said |= {
        "copper": {"base_url": running.copper.base_url, "timeout": "2s"},
        "accounts": {"acme": {"user_email": "ops@acme.example", "api_key": "acme-key"}},
        "kafka": {"bootstrap_servers": running.servers},
    }
    said["webhooks"] = {"public_url": running.settings.webhooks.public_url}
    Desk(path, said)
    checking = asyncio.create_task(process("check", "-c", str(path), "--json"))
    written = [await running.made("acme", "company", {"name": f"Tideglass {number}"}) for number in range(5)]
    code, parts = await checking
    assert (code, bad(parts)) == (Exit.OK, [])
    assert "of 18 webhook subscriptions are there, 0 of others" in " ".join(row[1] for row in parts["copper"])
    assert "leads to 127.0.0.1 from here" in parts["webhooks"][0][1]
    assert len(set(written)) == 5
    assert (await running.ask("acme", "company", "get", record_id=written[0])).value["status"] == "succeeded"
    assert await generation(running) == group
    assert await running.metric("copper_bridge_shard_sessions_ended_total") == 0
    assert running.copper.max_calls_in_any_minute("acme") <= 180


async def test_the_public_address_is_resolved_and_asked(running: Stage) -> None:
    url, path = str(running.settings.webhooks.public_url), "/webhooks/copper/acme"
    assert await reach(url, path, seconds=5) == Reached(("127.0.0.1",), 405)
    assert await reach(url, "/", seconds=5) == Reached(("127.0.0.1",), 404)
    unheard = await reach(f"http://{NOWHERE}", path, seconds=5)
    assert (unheard.addresses, unheard.status, bool(unheard.problem)) == (("127.0.0.1",), None, True)
    unknown = await reach("https://bridge.invalid", path, seconds=5)
    assert (unknown.addresses, unknown.status, bool(unknown.problem)) == ((), None, True)


async def generation(play: Stage) -> Sequence[Any]:
    """The members of the bridge's group, who would be others after any join."""
    admin = AIOKafkaAdminClient(bootstrap_servers=play.servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([play.settings.instance])
    finally:
        await admin.close()
    return [(group[2], sorted(member[0] for member in group[5])) for group in answer.groups]


async def make(servers: str, topic: str, configs: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1, topic_configs=configs)])
        while topic not in await find(admin, [topic]):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_S)
    finally:
        await admin.close()


async def config(servers: str, topic: str) -> Any:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return (await find(admin, [topic]))[topic].config
    finally:
        await admin.close()


async def there(servers: str, prefix: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return {topic for topic in await admin.list_topics() if topic.startswith(f"{prefix}.")}
    finally:
        await admin.close()
