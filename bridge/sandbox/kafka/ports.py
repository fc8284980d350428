"""Free TCP ports on loopback, for the sandbox's brokers. Knows no Kafka."""

import random
import socket

# Below every system's range of ephemeral ports (Linux from 32768, macOS from 49152) and below Kubernetes' node ports: a
# client that keeps reconnecting to a dead broker's port would else sooner or later be given that very port as its own,
# connect to itself and keep the broker from coming back.
_RANGE = range(15_000, 30_000)


def free_ports(count: int) -> tuple[int, ...]:
    """That many different ports nobody listens at now. Another process may still be quicker: retry on a failed bind."""
    found: set[int] = set()
    while len(found) < count:
        port = random.choice(_RANGE)
        if port not in found and _is_free(port):
            found.add(port)
    return tuple(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
