"""What dashboard and alerts ask for is what a bridge tells: metrics, their labels and the labels' values.

That the docs know every metric and no other is tested in tests/contract.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bridge.policy.sightings import Lane
from bridge.telemetry.metrics import PREFIX, Metrics
from tests.deploy.chart import CHART, one
from tests.deploy.test_alerts import RULES, promtool

ROOT = CHART.parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/copper-bridge.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TABLE = ROOT / "docs/reference/metrics-and-logs.md"

OTHERS = {"ALERTS", "kafka_consumergroup_lag", "kube_pod_container_status_restarts_total"}
OTHERS |= {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"}
"""Metrics of Prometheus, Kubernetes and a lag exporter, which the dashboard shows beside ours."""
TARGETS = {"namespace", "pod", "le"}
"""Labels that Prometheus adds to what it reads, and a histogram's own."""
NAME = re.compile(rf"\b{PREFIX}_(\w+)\b")
USE = re.compile(rf"\b{PREFIX}_(\w+)(?:{{([^}}]*)}})?")
ENDINGS = ("_total", "_bucket", "_sum", "_count", "_info")


def made() -> dict[str, set[str]]:
    """Each metric that a bridge has, without prefix and its type's ending, and its labels."""
    metrics = (each for each in vars(Metrics()).values() if hasattr(each, "_labelnames"))
    return {each._name.removeprefix(f"{PREFIX}_"): {*each._labelnames} for each in metrics}


def base(name: str) -> str:
    """`events_published_total` is `events_published`."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def expressions() -> Iterator[tuple[str, str]]:
    """Everything that is asked of Prometheus, and who asks it."""
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in PANELS:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    for variable in DASHBOARD["templating"]["list"][1:]:
        yield variable["name"], variable["query"]["query"]


KNOWN = made()
ASKED = [*expressions()]


def test_every_metric_that_is_asked_for_exists() -> None:
    assert {base(name) for _, text in ASKED for name in NAME.findall(text)} <= KNOWN.keys()


def meanings() -> Mapping[str, set[str]]:
    """The words in backticks that the reference's table has beside each metric."""
    row = re.compile(rf"^\| `{PREFIX}_(\w+)` \| [^|]*\|(.*)\|$", re.MULTILINE)
    return {base(name): set(re.findall(r"`([^`]+)`", meaning)) for name, meaning in row.findall(TABLE.read_text())}


def test_labels_that_are_asked_for_are_those_of_the_metric() -> None:
    for asker, text in ASKED:
        for name, matchers in USE.findall(text):
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert asked <= KNOWN[base(name)] | TARGETS, f"{asker}: {name}"


def test_labels_that_are_grouped_by_are_those_of_some_metric() -> None:
    known = set[str]().union(TARGETS, *KNOWN.values(), {"version"})
    for asker, text in ASKED:
        grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", text)
        assert {label for group in grouped for label in re.findall(r"\w+", group)} <= known, asker


def test_values_of_labels_that_are_asked_for_are_lanes_or_documented() -> None:
    told = meanings()
    for asker, text in ASKED:
        for name, matchers in USE.findall(text):
            values = {each for group in re.findall(r'"([^"$]+)"(?:,|$)', matchers) for each in group.split("|")}
            unheard = values - {*Lane} - told.get(base(name), set())
            assert all(value[0].isdigit() for value in unheard), f"{asker}: {name} {unheard}"


def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(queries)
    ]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_the_dashboard_asks_only_for_metrics_that_somebody_has() -> None:
    words = re.compile(r"\b([a-zA-Z_]\w+)\{")
    for asker, text in ASKED:
        others = {name for name in words.findall(text) if not name.startswith(PREFIX)}
        assert others <= OTHERS, asker


def test_panels_have_names_of_their_own_and_places_that_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_chart_installs_the_dashboard_for_grafanas_sidecar() -> None:
    installed = one("monitoring", "ConfigMap", "crm-copper-bridge-dashboard")
    assert installed["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(installed["data"]["copper-bridge.json"]) == DASHBOARD
