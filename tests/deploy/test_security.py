"""Pods keep to Kubernetes' Pod Security Standard "restricted", and the network policy lets through what is needed.

The list is the standard's own, for pods on Linux. A namespace that enforces it would refuse what fails here.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.chart import NAME, VALUES, Manifest, containers, one, pods, rendered

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS: set[str] = set()
"""The standard allows some; the chart needs none."""
POLICED = [values for values in VALUES if values != "replicas"]


def security(container: Manifest, pod: Manifest, field: str) -> Any:
    """What holds for the container: its own word, else the pod's."""
    own = container.get("securityContext", {})
    return own.get(field, pod.get("securityContext", {}).get(field))


def offences(pod: Manifest) -> Iterator[str]:
    """What the standard "restricted" forbids."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", []):
        if kinds := volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is {kinds}"
    context = pod.get("securityContext", {})
    if "seLinuxOptions" in context or "windowsOptions" in context:
        yield "SELinux or Windows options"
    yield from (f"sysctl {each['name']}" for each in context.get("sysctls", []) if each["name"] not in SYSCTLS)
    for container in containers(pod):
        yield from (f"{container['name']}: {each}" for each in offences_of(container, pod))


def offences_of(container: Manifest, pod: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate its privileges"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "keeps capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "sees all of /proc"
    if security(container, pod, "runAsNonRoot") is not True or security(container, pod, "runAsUser") == 0:
        yield "may be root"
    if security(container, pod, "seccompProfile") not in ({"type": "RuntimeDefault"}, {"type": "Localhost"}):
        yield "no seccomp profile"
    if any(each.get("hostPort") for each in container.get("ports", [])):
        yield "a port of the host"
    probes = (container.get(f"{kind}Probe", {}) for kind in ("liveness", "readiness", "startup"))
    if any("host" in action for probe in probes for action in probe.values() if isinstance(action, dict)):
        yield "a probe of another host"
    if "lifecycle" in container or "seLinuxOptions" in own:
        yield "a hook or SELinux options"


@pytest.mark.parametrize("values", VALUES)
def test_every_pod_satisfies_pod_security_restricted(values: str) -> None:
    assert [offence for pod in pods(values) for offence in offences(pod)] == []


@pytest.mark.parametrize("values", VALUES)
def test_every_container_has_a_read_only_root_and_a_limit_of_memory(values: str) -> None:
    for pod in pods(values):
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "memory" in container["resources"]["limits"]
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@pytest.mark.parametrize("values", VALUES)
def test_no_pod_holds_a_token_of_the_cluster_or_variables_of_other_services(values: str) -> None:
    for pod in pods(values):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
    for each in rendered(values):
        assert each["kind"] not in {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
        if each["kind"] == "ServiceAccount":
            assert each["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values", POLICED)
def test_out_go_only_names_kafka_and_copper(values: str) -> None:
    spec = one(values, "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    names, kafka, copper, *more = spec["egress"]
    assert {(each["protocol"], each["port"]) for each in names["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert names["to"]
    assert copper["to"]
    assert [each["protocol"] for each in (*kafka["ports"], *copper["ports"])].count("TCP") == len(kafka["ports"]) + 1
    assert len(more) == (values == "production")


def test_ports_are_those_of_the_settings() -> None:
    _, kafka, copper, *_ = one("production", "NetworkPolicy")["spec"]["egress"]
    assert [each["port"] for each in kafka["ports"]] == [9094, 9095]
    assert [each["port"] for each in copper["ports"]] == [443]
    _, kafka, copper = one("laptop", "NetworkPolicy")["spec"]["egress"]
    assert [each["port"] for each in (*kafka["ports"], *copper["ports"])] == [9092, 4010]


def test_copper_is_not_looked_for_in_private_networks() -> None:
    _, _, copper, *_ = one("production", "NetworkPolicy")["spec"]["egress"]
    everywhere = copper["to"][0]["ipBlock"]
    assert everywhere["cidr"] == "0.0.0.0/0"
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(everywhere["except"])


@pytest.mark.parametrize("values", POLICED)
def test_strangers_come_in_by_the_public_port_only(values: str) -> None:
    public, internal = one(values, "NetworkPolicy")["spec"]["ingress"]
    assert [each["port"] for each in public["ports"]] == ["public"]
    assert [each["port"] for each in internal["ports"]] == ["internal"]
    assert all(peer.keys() <= {"podSelector", "namespaceSelector"} for peer in internal["from"])
    assert all(any(peer.values()) for peer in internal["from"]), "an empty selector is everybody"


def test_a_policy_holds_for_the_replicas_and_another_for_the_test() -> None:
    labels = one("production", "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert one("production", "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    trial = one("production", "NetworkPolicy", f"{NAME}-test")["spec"]
    labels = one("production", "Pod", f"{NAME}-test")["metadata"]["labels"]
    assert trial["podSelector"]["matchLabels"].items() <= labels.items()
    assert "ingress" not in trial


def test_the_test_may_ask_the_replicas() -> None:
    _, internal = one("production", "NetworkPolicy")["spec"]["ingress"]
    labels = one("production", "Pod", f"{NAME}-test")["metadata"]["labels"]
    assert internal["from"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    to = one("production", "NetworkPolicy", f"{NAME}-test")["spec"]["egress"][-1]
    assert to["ports"] == [{"protocol": "TCP", "port": "internal"}]
