"""A Kafka and the way into it, as one value that every client is made with.

Made once per process by whoever has the settings, since all its clients share one token. Called by `bridge.kafka` and
`bridge.client`.
"""

import asyncio
import time
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from bridge.access.certificates import certificates
from bridge.access.reasons import refused
from bridge.settings import KafkaSecurity

LOOK_MS = 5000
_NONE = KafkaSecurity()


class Access:
    """Where Kafka is and how one gets in."""

    def __init__(self, bootstrap_servers: str, security: KafkaSecurity = _NONE) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._security = security
        self._arguments = _arguments(security)

    @property
    def arguments(self) -> dict[str, Any]:
        """What each of aiokafka's producers, consumers and admin clients takes."""
        return {"bootstrap_servers": self.bootstrap_servers, **self._arguments}

    async def obstacle(self) -> str | None:
        """Why no broker lets us in, found out by one more try at each; None when one does.

        aiokafka tells a client no more than that there was no connection.
        """
        hosts = collect_hosts(self.bootstrap_servers, randomize=False)
        told = await asyncio.gather(*(self._tried(host, port) for host, port, _ in hosts))
        return None if None in told else "; ".join(filter(None, told))

    async def _tried(self, host: str, port: int) -> str | None:
        connection = None
        try:
            connection = await create_conn(host, port, request_timeout_ms=LOOK_MS, **self._arguments)
            await connection.send(MetadataRequest([]))  # the first thing that takes more than to be listened to
        except (KafkaError, OSError, ValueError, TimeoutError) as problem:
            return f"{host}:{port}: {refused(problem, self._security)}"
        finally:
            if connection is not None:
                await connection.close()
        return None


def _arguments(security: KafkaSecurity) -> dict[str, Any]:
    wanted: dict[str, Any] = {"security_protocol": security.security_protocol}
    if security.security_protocol in {"SSL", "SASL_SSL"}:
        wanted["ssl_context"] = certificates(security)
    if security.sasl_mechanism == "OAUTHBEARER":
        from bridge.access.tokens import Tokens  # noqa: PLC0415 - slow to load, and not for every call on a terminal

        wanted |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Tokens(security, time.monotonic)}
    elif security.sasl_mechanism is not None:
        wanted["sasl_mechanism"] = security.sasl_mechanism
        wanted["sasl_plain_username"] = security.username
        wanted["sasl_plain_password"] = security.password.get_secret_value() if security.password else None
    return wanted
