"""What stands beside the bridge in the namespace, as manifests: Kafka, the Copper double, the stream of commands.

All of it keeps to Pod Security "restricted".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.contract.sharding import shard_of
from tests.cluster.cluster import IMAGE, NAMESPACE, Manifest
from tests.kafka_image import kafka_environment

SHARDS = 4
KAFKA_USER = 1000
"""What the image calls by name, which Kubernetes cannot tell from root."""


def _accounts() -> list[str]:
    """A name for each shard, in the order of the shards."""
    names = [f"acme{number}" for number in range(100)]
    return [next(name for name in names if shard_of(name, SHARDS) == shard) for shard in range(SHARDS)]


ACCOUNTS = _accounts()


def namespace() -> Manifest:
    """Ours, where only restricted pods may be."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def keys() -> Manifest:
    """The double's API keys, as settings."""
    data = {f"accounts__{account}__api_key": f"{account}-key" for account in ACCOUNTS}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "copper-keys"}, "stringData": data}


def kafka(image: str) -> list[Manifest]:
    """One node, throw-away data."""
    container = {"image": image, "env": _env(kafka_environment("kafka:9092"))}
    return [_service("kafka", 9092), _pod("kafka", container, port=9092, user=KAFKA_USER)]


def copper() -> list[Manifest]:
    """The Copper double."""
    arguments = ["sandbox", "copper", "--host=0.0.0.0", "--no-people", *(f"--account={each}" for each in ACCOUNTS)]
    return [_service("copper", 4010), _pod("copper", {"image": IMAGE, "args": arguments}, port=4010)]


def stream() -> list[Manifest]:
    """Who sends commands to every shard."""
    program = Path(__file__).with_name("stream.py").read_text(encoding="utf-8")
    container = {
        "image": IMAGE,
        "command": ["python3", "/stream/stream.py"],
        "env": _env({"SERVERS": "kafka:9092", "ACCOUNTS": ",".join(ACCOUNTS)}),
        "volumeMounts": [{"name": "program", "mountPath": "/stream"}],
    }
    pod = _pod("stream", container)
    pod["spec"]["volumes"] = [{"name": "program", "configMap": {"name": "stream"}}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stream"}, "data": {"stream.py": program}},
        pod,
    ]


def values(**config: Any) -> Manifest:
    """The chart's values: three replicas, and further settings."""
    repository, _, tag = IMAGE.rpartition(":")
    return {
        "replicas": 3,
        "image": {"repository": repository, "tag": tag},
        "secrets": {"existing": ["copper-keys"]},
        "networkPolicy": {"copper": {"to": [{"podSelector": {"matchLabels": {"app": "copper"}}}]}},
        "config": {
            "accounts": {account: {"user_email": f"ops@{account}.example"} for account in ACCOUNTS},
            "copper": {"base_url": "http://copper:4010/developer_api/v1"},
            "kafka": {"bootstrap_servers": "kafka:9092"},
            "topics": {"partitions": SHARDS, "replication_factor": 1},
            **config,
        },
    }


def _env(variables: Mapping[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _service(name: str, port: int) -> Manifest:
    spec = {"selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _pod(name: str, container: Mapping[str, Any], *, port: int | None = None, user: int = 65532) -> Manifest:
    ready = {} if port is None else {"readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2}}
    locked_in = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,  # the variables of a Service called kafka look like Kafka's settings
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{"name": name, "securityContext": locked_in, **ready, **container}],
        },
    }
