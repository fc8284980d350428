"""The chart's life on a real cluster that enforces Pod Security "restricted", told in order: each test goes on where
the one before it ended. From the install on, a stream of commands goes to every shard, and none may be lost or doubled.
"""

import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.cluster import beside
from tests.cluster.cluster import (
    CHART,
    KUBECTL,
    NAME,
    NAMESPACE,
    PATIENCE,
    RELEASE,
    apply,
    found,
    helm,
    kubectl,
    python,
    replicas,
    rolled_out,
)
from tests.programs import attempt, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

WAIT = ("--wait", f"--timeout={PATIENCE}")
REPLICAS = 3


@dataclass(frozen=True)
class Ended:
    """A command of the stream."""

    id: str
    account: str
    sent: float
    ended: float
    status: str


def streamed() -> tuple[list[Ended], Counter[str] | None]:
    """All commands of the stream that have ended, and the number of replies to each once the stream has."""
    lines = [json.loads(line) for line in kubectl("logs", "stream").splitlines()]
    replies = next((Counter[str](line["replies"]) for line in lines if "replies" in line), None)
    return [Ended(**line) for line in lines if "id" in line], replies


def tell(what: str, began: float) -> None:
    """Print how long it took, and the longest time in which a shard answered nothing."""
    ended = time.time()
    answered: dict[str, list[float]] = {account: [began] for account in beside.ACCOUNTS}
    waits = [0.0]
    for each in sorted(streamed()[0], key=lambda each: each.ended):
        if each.ended >= began:
            answered[each.account].append(each.ended)
            waits.append(each.ended - each.sent)
    pauses = [later - earlier for times in answered.values() for earlier, later in itertools.pairwise(times)]
    open_ended = [ended - times[-1] for times in answered.values()]
    print(
        f"\n{what}: {ended - began:.1f} s, longest pause of a shard {max(pauses + open_ended):.1f} s,"
        f" longest wait for a reply {max(waits):.1f} s, {len(waits) - 1} commands",
        flush=True,
    )


def all_ready() -> dict[str, str] | None:
    """Every replica with its uid, once all are ready."""
    return pods if len(pods := replicas()) == REPLICAS else None


def settings_in(pod: str) -> str:
    return python(pod, "print(open('/etc/copper-bridge/bridge.yaml').read())")


def test_it_installs_under_pod_security_restricted() -> None:
    began = time.time()
    said = helm("install", RELEASE, str(CHART), *WAIT, values=beside.values())
    assert "PodSecurity" not in said
    until(all_ready, "all are ready")
    print(f"\ninstalled: {REPLICAS} replicas ready after {time.time() - began:.1f} s", flush=True)


def test_helm_test_sends_a_command_and_reads_its_reply() -> None:
    assert "succeeded" in helm("test", RELEASE, "--logs").lower()


def test_commands_stream_to_every_shard() -> None:
    apply(*beside.stream())
    until(lambda: {each.account for each in streamed()[0]} == {*beside.ACCOUNTS} or None, "every shard answers")


def test_an_upgrade_brings_a_changed_setting_to_every_replica() -> None:
    began = time.time()
    helm("upgrade", RELEASE, str(CHART), *WAIT, values=beside.values(events={"poll_every": "20s"}))
    rolled_out()
    assert all("poll_every: 20s" in settings_in(pod) for pod in replicas())
    tell("upgraded", began)


def test_a_rolling_restart_moves_one_replica_at_a_time() -> None:
    began, before = time.time(), replicas()
    kubectl("rollout", "restart", f"statefulset/{NAME}")
    rolled_out()
    assert not {*replicas().values()} & {*before.values()}
    tell("rolling restart", began)


def evicted(pod: str) -> bool:
    """Whether the cluster agrees to move the pod, as a drain asks it."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    address = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    ended = attempt(*KUBECTL, "create", f"--raw={address}", "--filename=-", given=json.dumps(eviction))
    assert ended.returncode == 0 or "disruption budget" in ended.stderr, ended.stderr
    return ended.returncode == 0


def test_a_drain_takes_one_replica_after_the_other() -> None:
    began, before = time.time(), until(all_ready, "all are ready")
    first, *others = before
    assert evicted(first)
    assert not any(evicted(pod) for pod in others), "two at once"
    for pod in others:
        until(lambda pod=pod: evicted(pod) or None, f"{pod} may go")  # type: ignore[misc]
    after = until(all_ready, "all are ready again")
    assert not {*after.values()} & {*before.values()}
    tell("drained", began)


def test_a_rollback_brings_the_old_setting_back() -> None:
    began = time.time()
    helm("rollback", RELEASE, "1", *WAIT)
    rolled_out()
    assert not any("poll_every: 20s" in settings_in(pod) for pod in replicas())
    tell("rolled back", began)


def test_nothing_was_lost_or_doubled_through_all_of_it() -> None:
    python("stream", "import os, signal; os.kill(1, signal.SIGUSR1)")
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/stream", "--timeout=400s")
    commands, replies = streamed()
    assert replies is not None
    made: Counter[str] = Counter()
    for account in beside.ACCOUNTS:
        address = f"http://127.0.0.1:4010/_control/accounts/{account}/records/company"
        records = python("copper", f"from urllib.request import urlopen; print(urlopen({address!r}).read().decode())")
        made.update(record["name"] for record in json.loads(records))
    ids = {each.id for each in commands}
    told = {each.id for each in commands if each.status == "succeeded"}
    figures = {
        "commands": len(ids),
        "statuses": dict(Counter(each.status for each in commands)),
        "without a reply": len(ids - replies.keys()),
        "with two replies": [each for each in ids if replies[each] > 1],
        "told succeeded and not done": sorted(told - made.keys()),
        "done twice": sorted(each for each in ids if made[each] > 1),
    }
    print(f"\n{json.dumps(figures, indent=1)}", flush=True)
    assert figures["statuses"] == {"succeeded": len(ids)}
    assert not any(figures[each] for each in list(figures)[2:])


def test_it_uninstalls_and_leaves_nothing_but_the_test_pod() -> None:
    helm("uninstall", RELEASE, *WAIT)
    bridges = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=bridge"
    kubectl("wait", "--for=delete", "pod", bridges, "--timeout=120s")
    kinds = "statefulsets,pods,services,configmaps,secrets,poddisruptionbudgets,networkpolicies,serviceaccounts"
    left = [each["metadata"]["name"] for each in found(kinds, f"app.kubernetes.io/instance={RELEASE}")]
    assert {*left} <= {f"{NAME}-test"}
