"""The chart as Helm renders it, for all tests of the deployment. Runs the real binary; needs no cluster."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy/helm/copper-bridge"
VALUES = sorted(path.stem for path in Path(__file__).parent.glob("values/*.yaml"))
RELEASE = "crm"
NAME = "crm-copper-bridge"

Manifest = dict[str, Any]


def tool(name: str) -> str:
    """Where `make tools` has put it, or the path has it."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "copper-bridge/tools"
    found = shutil.which(name, path=f"{cached}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    return found or pytest.fail(f"There is no {name}: `make tools` gets it, or says how.", pytrace=False)


def helm(*arguments: str, values: str | Path, sets: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Helm about the chart, with a values file, one of ours by its name, and `--set`s."""
    file = values if isinstance(values, Path) else Path(__file__).parent / f"values/{values}.yaml"
    command = [tool("helm"), *arguments, str(CHART), "-f", str(file)]
    for each in sets:
        command += ["--set", each]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def refusal(values: str, *sets: str) -> str:
    """What Helm says on its way to refusing these values."""
    done = helm("template", RELEASE, values=values, sets=sets)
    assert done.returncode != 0, done.stdout
    return done.stderr


@cache
def installed(values: str, *sets: str) -> str:
    """What an installation would say and do."""
    done = helm("install", RELEASE, "--dry-run=client", values=values, sets=sets)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def rendered(values: str, *sets: str) -> tuple[Manifest, ...]:
    """The manifests, hooks among them."""
    done = helm("template", RELEASE, values=values, sets=sets)
    assert done.returncode == 0, done.stderr
    return tuple(each for each in yaml.safe_load_all(done.stdout) if each)


def one(values: str, kind: str, name: str = NAME) -> Manifest:
    """The manifest of that kind and name."""
    (found,) = (each for each in rendered(values) if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pods(values: str) -> Iterator[Manifest]:
    """The specs of all pods there may be."""
    for each in rendered(values):
        spec = each.get("spec", {})
        if each["kind"] == "Pod":
            yield spec
        elif "template" in spec:
            yield spec["template"]["spec"]


def containers(pod: Mapping[str, Any]) -> list[Manifest]:
    """All of a pod, those that come first too."""
    return [*pod.get("initContainers", []), *pod["containers"]]
