"""The cluster by `kubectl` and the release by `helm`, in one namespace of our own."""

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.programs import run

KUBECTL = shlex.split(os.environ.get("KUBECTL", "kubectl"))
HELM = shlex.split(os.environ.get("HELM", "helm"))
NAMESPACE = os.environ.get("NAMESPACE", "copper-bridge-test")
IMAGE = os.environ.get("IMAGE", "copper-kafka-bridge:dev")
CHART = Path(__file__).parents[2] / "deploy/helm/copper-bridge"
RELEASE = "crm"
NAME = f"{RELEASE}-copper-bridge"
SELECTOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=bridge"
PATIENCE = "600s"

Manifest = dict[str, Any]


def kubectl(*arguments: str, given: str | None = None) -> str:
    """What `kubectl` says about the namespace."""
    return run(*KUBECTL, f"--namespace={NAMESPACE}", *arguments, given=given, patience_s=700).strip()


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """What `helm` says about the namespace; values are given on standard input."""
    given = None if values is None else json.dumps(values)
    more: Sequence[str] = () if values is None else ("--values=-",)
    return run(*HELM, f"--namespace={NAMESPACE}", *arguments, *more, given=given, patience_s=700)


def apply(*manifests: Manifest) -> None:
    """Have these in the namespace."""
    kubectl("apply", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


def found(kind: str, selector: str = SELECTOR) -> list[Manifest]:
    """All of a kind with these labels."""
    return list(json.loads(kubectl("get", kind, f"--selector={selector}", "--output=json"))["items"])


def replicas() -> dict[str, str]:
    """The uid of every pod of the bridge that is ready and stays, by its name."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in found("pods")
        if "deletionTimestamp" not in pod["metadata"] and _true(pod, "Ready")
    }


def _true(pod: Manifest, condition: str) -> bool:
    conditions: Iterable[Manifest] = pod["status"].get("conditions", [])
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def rolled_out() -> None:
    """Wait until the update of the bridge is complete."""
    kubectl("rollout", "status", f"statefulset/{NAME}", f"--timeout={PATIENCE}")


def python(pod: str, program: str) -> str:
    """Run a line of Python in a pod; what it prints."""
    return kubectl("exec", pod, "--", "python3", "-c", program)
