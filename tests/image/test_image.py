"""The image as it is built, and the bridge in it as a cluster would run it: as nobody, locked in, without a shell."""

import json
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePosixPath

import pytest

from tests.image.conftest import start
from tests.image.engine import DOCKER, IMAGE, LOCKED_IN, engine, files, get, inspected, python
from tests.programs import attempt, until

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

USER = 65532
GRACE_S = 25
MOST_BYTES = 180_000_000
SETTINGS = {
    "BRIDGE_COPPER__BASE_URL": "http://copper:4010/developer_api/v1",
    "BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example",
    "BRIDGE_ACCOUNTS__ACME__API_KEY": "acme-key",
    "BRIDGE_TOPICS__REPLICATION_FACTOR": "1",
    "BRIDGE_SHUTDOWN_GRACE": f"{GRACE_S}s",
}
VARIABLES = [f"--env={name}={value}" for name, value in SETTINGS.items()]


@pytest.mark.figures
def test_nothing_is_in_the_image_but_what_runs() -> None:
    inside = {PurePosixPath("/", each.name): each for each in files(IMAGE)}
    programs = {path.name for path, each in inside.items() if each.isreg() and path.parent.name in {"bin", "sbin"}}
    assert {re.sub(r"[\d.]+$", "", name) for name in programs} == {"python", "copper-bridge"}
    assert not [path for path, each in inside.items() if each.mode & 0o6000], "setuid"
    writable = [str(path) for path, each in inside.items() if not each.issym() and each.mode & 0o002]
    assert writable == ["/tmp"]  # noqa: S108 - a mount where the rest is read-only
    assert [str(path) for path, each in inside.items() if each.uid == USER] == ["/var/lib/copper-bridge"]
    modules = {path for path in inside if "site-packages/bridge/" in str(path) and path.suffix == ".py"}
    assert modules
    assert not [path for path in modules if not any(_compiled(path, tag) in inside for tag in _tags(inside))]
    size = inspected(IMAGE, "image")["Size"]
    print(f"\nthe image: {size / 1e6:.0f} MB, {len(inside)} files, programs {sorted(programs)}")
    assert size < MOST_BYTES


def _tags(inside: Iterable[PurePosixPath]) -> set[str]:
    return {path.name.split(".")[-2] for path in inside if path.suffix == ".pyc"}


def _compiled(path: PurePosixPath, tag: str) -> PurePosixPath:
    return path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"


def test_the_image_says_what_it_is_and_starts_the_program_itself() -> None:
    config = inspected(IMAGE, "image")["Config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == (f"{USER}:{USER}", ["copper-bridge"], ["run"])
    labels = config["Labels"]
    version = engine("run", "--rm", *LOCKED_IN, IMAGE, "--version")
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])


def test_wrong_settings_end_it_with_their_exit_code() -> None:
    ended = attempt(*DOCKER, "run", "--rm", *LOCKED_IN, "--env=BRIDGE_COPPER__TIMEOUT=never", IMAGE)
    assert ended.returncode == 3
    assert "BRIDGE_COPPER__TIMEOUT" in ended.stderr


@pytest.mark.figures
def test_locked_in_it_carries_out_a_command_and_ends_cleanly_at_sigterm(beside: str) -> None:
    bridge, kafka = f"{beside}-bridge", "--env=BRIDGE_KAFKA__BOOTSTRAP_SERVERS=kafka:9092"
    began = time.monotonic()
    start(beside, "bridge", *LOCKED_IN, f"--volume={beside}:/var/lib/copper-bridge", *VARIABLES, kafka, IMAGE)
    until(lambda: get(bridge, "http://127.0.0.1:8081/readyz"), "the bridge is ready")
    ready_s = time.monotonic() - began
    _is_locked_in(bridge)

    client = ("run", "--rm", *LOCKED_IN, f"--network={beside}", kafka, IMAGE)
    reply = json.loads(engine(*client, "call", "company.create", "name=Tideglass", "--json", "--timeout=90s"))
    assert reply["status"] == "succeeded"
    event = json.loads(engine(*client, "listen", "copper.company.created", "--from=earliest", "-n1", "--json"))
    assert event["value"]["after"]["name"] == "Tideglass"
    truth = json.loads(get(f"{beside}-copper", "http://127.0.0.1:4010/_control/accounts/acme/records/company"))
    assert [record["name"] for record in truth] == ["Tideglass"]

    asked = time.monotonic()
    engine("kill", "--signal=TERM", bridge)
    assert engine("wait", bridge) == "0"
    stop_s = time.monotonic() - asked
    log = [json.loads(line) for line in attempt(*DOCKER, "logs", bridge).stderr.splitlines()]
    stopping, stopped = (line for line in log if line["event"] in {"bridge.stopping", "bridge.stopped"})
    drain_s = (datetime.fromisoformat(stopped["ts"]) - datetime.fromisoformat(stopping["ts"])).total_seconds()
    print(
        f"\nin a container: ready in {ready_s:.1f} s, drained in {drain_s:.1f} s, SIGTERM to exit 0 in {stop_s:.1f} s"
    )
    assert stopped["clean"]
    assert drain_s < GRACE_S, log


def _is_locked_in(bridge: str) -> None:
    status = dict(line.split(":\t", 1) for line in python(bridge, "print(open('/proc/1/status').read())").splitlines())
    assert set(status["Uid"].split()) == {str(USER)}
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    writes = (
        "for p in '/x', '/opt/copper-bridge/x', '/etc/x':\n try: open(p, 'w')\n except OSError as e: print(e.errno)"
    )
    assert python(bridge, writes).split() == ["30", "30", "30"], "not read-only"


def test_sigterm_ends_it_cleanly_while_it_waits_for_kafka(beside: str) -> None:
    name, nowhere = f"{beside}-waiting", "--env=BRIDGE_KAFKA__BOOTSTRAP_SERVERS=nowhere.invalid:9092"
    start(
        beside, "waiting", *LOCKED_IN, f"--volume={beside}-waiting:/var/lib/copper-bridge", *VARIABLES, nowhere, IMAGE
    )
    try:
        until(lambda: "kafka.unreachable" in attempt(*DOCKER, "logs", name).stderr or None, "it waits for Kafka")
        engine("kill", "--signal=TERM", name)
        assert engine("wait", name) == "0"
    finally:
        engine("rm", "--force", "--volumes", name)
        engine("volume", "rm", "--force", f"{beside}-waiting")
