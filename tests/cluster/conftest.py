"""The namespace with Kafka and the Copper double in it, while the tests of this directory run."""

import os
import shlex
from collections.abc import Generator, Iterator

import pytest

from tests.cluster import beside
from tests.cluster.cluster import IMAGE, KUBECTL, NAMESPACE, apply, kubectl
from tests.kafka_image import IMAGE as KAFKA_IMAGE
from tests.programs import ProgramFailed, attempt, run

LOAD = shlex.split(os.environ.get("IMAGE_LOAD", ""))
"""What brings an image of this machine into the cluster, its name appended: `kind load docker-image`."""


@pytest.fixture(scope="session", autouse=True)
def namespace() -> Iterator[None]:
    """Everything but the bridge is up; all of it goes in the end, unless `KEEP` is set."""
    if "KUBECONFIG" not in os.environ:
        pytest.fail("KUBECONFIG names no cluster: one that may be tried things on is to be named", pytrace=False)
    for image in (IMAGE, KAFKA_IMAGE) if LOAD else ():
        run(*LOAD, image)
    run(*KUBECTL, "version")
    apply(beside.namespace())
    try:
        apply(beside.keys(), *beside.kafka(KAFKA_IMAGE), *beside.copper())
        kubectl("wait", "--for=condition=Ready", "pod/kafka", "pod/copper", "--timeout=300s")
        yield
    except ProgramFailed:
        print(state())
        raise
    finally:
        if "KEEP" not in os.environ:
            kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout=300s")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the cluster looks like when a test has failed."""
    report = yield
    if report.failed:
        print(state())
    return report


def state() -> str:
    """Pods, what happened, and what the bridge says."""
    asked = (
        ("get", "pods", "--output=wide"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", "--selector=app.kubernetes.io/component=bridge", "--tail=15", "--prefix"),
    )
    answers = [attempt(*KUBECTL, f"--namespace={NAMESPACE}", *each) for each in asked]
    return "\n".join(answer.stdout[-6000:] + answer.stderr for answer in answers)
