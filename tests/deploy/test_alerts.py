"""Every alert fires when it should and not close to it, says what to do, and is what the chart installs."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import CHART, one, tool

FILE = CHART / "files/alerts.yaml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text())
RUNBOOK = "docs/how-to/alerts.md"
NAMES = [rule["alert"] for rule in RULES]


def promtool(*arguments: object) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        [tool("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def worded(rule: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """The annotations as Prometheus would fill them in."""

    def value(found: re.Match[str]) -> str:
        return labels[found[1]]

    return {name: re.sub(r"{{ \$labels\.(\w+) }}", value, text) for name, text in rule["annotations"].items()}


def trials(rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What promtool is to try: an alert when it fires, just before that, and when it does not."""
    case = CASES[rule["alert"]]
    alert = {"exp_labels": rule["labels"] | case["as"], "exp_annotations": worded(rule, case["as"])}
    fires = trial(rule, case["fires"], case["at"], [alert])
    if "for" in rule:
        almost = f"{int(rule['for'].removesuffix('m')) - 1}m"
        fires["alert_rule_test"] += trial(rule, {}, almost, [])["alert_rule_test"]
    yield fires
    yield trial(rule, case["silent"], case["at"], [])


def trial(rule: Mapping[str, Any], series: Mapping[str, str], at: str, expected: Sequence[object]) -> dict[str, Any]:
    """One of promtool's tests."""
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": rule["alert"], "exp_alerts": expected}],
    }


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", FILE)


def test_every_alert_fires_in_its_case_and_not_close_to_it(tmp_path: Path) -> None:
    assert sorted(CASES) == sorted(NAMES)
    files = []
    for rule in RULES:  # each by itself: promtool would try every rule on every case's data
        alone, file = tmp_path / f"{rule['alert']}.rule.yaml", tmp_path / f"{rule['alert']}.yaml"
        alone.write_text(yaml.safe_dump({"groups": [{"name": "alone", "rules": [rule]}]}))
        file.write_text(yaml.safe_dump({"rule_files": [str(alone)], "tests": [*trials(rule)]}))
        files.append(file)
    promtool("test", "rules", *files)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_alert_says_how_grave_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOK}#{rule['alert'].lower()}"


def test_the_runbook_tells_of_every_alert_and_of_no_other() -> None:
    text = (CHART.parents[2] / RUNBOOK).read_text()
    assert sorted(re.findall(r"^### (Bridge\w+)$", text, re.MULTILINE)) == sorted(NAMES)


def test_the_chart_installs_the_file_with_the_runbook_where_operators_read_it() -> None:
    installed = one("monitoring", "PrometheusRule")
    assert installed["metadata"]["labels"]["release"] == "prometheus"
    expected = FILE.read_text().replace(RUNBOOK, "https://docs.acme.example/bridge/alerts")
    assert installed["spec"] == yaml.safe_load(expected)
