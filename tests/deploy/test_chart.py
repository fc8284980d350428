"""The chart, rendered by a real Helm from several values files: what it makes is valid, and what it was asked for."""

import re
import textwrap
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import bridge
from tests.deploy.chart import CHART, NAME, VALUES, Manifest, helm, installed, one, pods, refusal, rendered

OLDEST, NEWEST = "1.32", "1.37"
"""What both take, every version between them takes. Chart.yaml says the same to Helm."""
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
"""Of the Prometheus operator, whose schemas Kubernetes does not have."""
GUIDE = CHART.parents[2] / "docs/how-to/install-on-kubernetes.md"


@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_to_complain_of(values: str) -> None:
    done = helm("lint", "--strict", values=values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest_to_the_letter(version: str) -> None:
    seen: list[Manifest] = []
    for manifest in (each for values in VALUES for each in rendered(values)):
        if manifest not in seen and manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)
            seen.append(manifest)
    assert {"StatefulSet", "Service", "ConfigMap", "Secret", "Ingress", "NetworkPolicy"} <= {
        each["kind"] for each in seen
    }


def test_the_chart_is_of_this_bridge_and_names_the_oldest_kubernetes() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == bridge.__version__
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("values", VALUES)
def test_names_are_unique_and_everything_is_labelled(values: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered(values)]
    assert len(names) == len(set(names))
    for each in rendered(values):
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "crm"


def test_pods_are_replaced_one_by_one_and_drained_one_by_one() -> None:
    spec = one("production", "StatefulSet")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate"}
    assert spec["minReadySeconds"] > 0
    assert one("production", "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_single_replica_has_no_disruption_budget_that_would_forbid_a_drain() -> None:
    assert "PodDisruptionBudget" not in {each["kind"] for each in rendered("laptop")}


def test_everything_that_selects_pods_selects_the_replicas_and_not_the_test() -> None:
    labels = one("production", "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    test = one("production", "Pod", f"{NAME}-test")["metadata"]["labels"]
    selectors = [one("production", "Service", name)["spec"]["selector"] for name in (NAME, f"{NAME}-public")]
    selectors.append(one("production", "StatefulSet")["spec"]["selector"]["matchLabels"])
    selectors.append(one("production", "PodDisruptionBudget")["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test.items()


def test_a_change_of_settings_restarts_the_pods_and_another_chart_alone_does_not() -> None:
    def template(*sets: str) -> Manifest:
        found = next(each for each in rendered("webhooks", *sets) if each["kind"] == "StatefulSet")
        inner: Manifest = found["spec"]["template"]
        return inner

    assert template() != template("config.events.poll_every=20s")
    assert "helm.sh/chart" not in template()["metadata"]["labels"]


def test_state_lies_on_a_volume_of_its_own_or_goes_with_the_pod() -> None:
    kept = one("production", "StatefulSet")["spec"]
    assert kept["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "10Gi"
    assert "state" not in {each["name"] for each in kept["template"]["spec"]["volumes"]}
    lost = one("laptop", "StatefulSet")["spec"]
    assert "volumeClaimTemplates" not in lost
    assert {"name": "state", "emptyDir": {"sizeLimit": "256Mi"}} in lost["template"]["spec"]["volumes"]


def test_secrets_are_mounted_as_a_directory_so_that_a_change_arrives() -> None:
    pod = next(pods("production"))
    (volume,) = (each for each in pod["volumes"] if each["name"] == "secrets")
    assert [each["secret"]["name"] for each in volume["projected"]["sources"]] == ["copper-keys", "kafka-user"]
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "secrets")
    assert "subPath" not in mount
    assert "Secret" not in {each["kind"] for each in rendered("production")}


def test_the_ingress_leads_to_the_public_port_and_to_webhooks_only() -> None:
    spec = one("webhooks", "Ingress")["spec"]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == "bridge.acme.example" == spec["tls"][0]["hosts"][0]
    assert path["path"] == "/webhooks/copper"
    service = one("webhooks", "Service", path["backend"]["service"]["name"])
    assert [each["targetPort"] for each in service["spec"]["ports"]] == ["public"]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]


def test_customers_who_connect_accounts_reach_the_public_port_too_and_nothing_else() -> None:
    (rule,) = one("oauth", "Ingress")["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/webhooks/copper", "/connect", "/oauth/callback"]
    assert {each["backend"]["service"]["name"] for each in rule["http"]["paths"]} == {f"{NAME}-public"}


def test_accounts_may_be_left_out_only_where_customers_connect_theirs() -> None:
    assert "config" in refusal("oauth", "config.oauth=null")
    assert one("oauth", "Pod", f"{NAME}-test")["spec"]["containers"][0]["args"] == ["accounts", "ls"]


def test_an_ingress_without_a_public_address_is_refused() -> None:
    assert "config.webhooks.public_url" in refusal("laptop", "ingress.enabled=true")


def test_an_ingress_for_an_address_with_a_path_is_refused() -> None:
    assert "without a path" in refusal("webhooks", "config.webhooks.public_url=https://acme.example/bridge")


def test_metrics_are_read_from_every_replica_ready_or_not() -> None:
    monitor = one("monitoring", "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    found = [
        each
        for each in rendered("monitoring")
        if each["kind"] == "Service"
        and monitor["spec"]["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    (service,) = found
    assert service["spec"]["publishNotReadyAddresses"]
    assert [each["name"] for each in service["spec"]["ports"]] == [monitor["spec"]["endpoints"][0]["port"]]


def test_the_notes_tell_what_is_missing_and_what_comes_next() -> None:
    assert "helm -n default test crm" in installed("webhooks")
    assert "noticed by sweeps alone" in installed("production")
    assert "those above it stand by" in installed("replicas")
    assert "for a laptop" in installed("laptop")
    assert "\n     https://bridge.acme.example/oauth/callback\n" in installed("oauth")
    assert "No Secret is mounted" in installed("webhooks", "secrets.existing=null")


def test_the_values_of_the_guide_are_taken(tmp_path: Path) -> None:
    (block,) = re.findall(r"^   ```yaml\n   # crm.yaml\n(.*?)^   ```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "crm.yaml"
    file.write_text(textwrap.dedent(block))
    done = helm("lint", "--strict", values=file)
    assert done.returncode == 0, done.stdout + done.stderr
