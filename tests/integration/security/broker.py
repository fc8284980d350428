"""One broker with a listener for every way in, and an authorizer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from bridge.sandbox.kafka import LocalKafka, local_kafka
from tests.integration.security.certificates import Authority
from tests.integration.security.giver import AUDIENCE, ISSUER, Giver

USER, PASSWORD = "bridge", "canary-password"
CLIENT, SECRET = "bridge-client", "canary-client-secret"
EXACT = "exact"
CALLER, CONSUMER, OPERATOR = "caller", "consumer", "operator"
"""Users who may do nothing but what a test grants."""
REAUTHENTICATE_MS = 3000

LISTENERS = {"TLS": "SSL", "MTLS": "SSL", "SASL": "SASL_SSL", "OAUTH": "SASL_SSL", "SHORT": "SASL_SSL"}


@dataclass(frozen=True)
class Secured:
    """The broker, and what it takes to get in."""

    kafka: LocalKafka
    authority: Authority
    giver: Giver
    admin: AdminClient

    def way(self, listener: str, **more: Any) -> dict[str, Any]:
        """The group `kafka` of settings for a listener."""
        return {
            "bootstrap_servers": self.kafka.at[listener],
            "security_protocol": LISTENERS[listener],
            "ssl_cafile": str(self.authority.cafile),
            **more,
        }

    def oauth(self, listener: str = "OAUTH", **more: Any) -> dict[str, Any]:
        said = {"token_url": self.giver.token_url, "client_id": CLIENT, "client_secret": SECRET}
        return self.way(listener, sasl_mechanism="OAUTHBEARER", **said | more)

    def sasl(self, mechanism: str, user: str = USER, password: str = PASSWORD) -> dict[str, Any]:
        return self.way("SASL", sasl_mechanism=mechanism, username=user, password=password)


@asynccontextmanager
async def secured(directory: Path) -> AsyncGenerator[Secured]:
    authority = Authority(directory, "authority")
    async with (
        Giver({CLIENT: SECRET}).serving() as giver,
        local_kafka(
            listeners=LISTENERS,
            properties=_properties(authority, giver),
            jvm=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={giver.keys_url}"],
        ) as kafka,
    ):
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        await asyncio.to_thread(_scram, admin)
        yield Secured(kafka, authority, giver, admin)


def _scram(admin: AdminClient) -> None:
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        credential = ScramCredentialInfo(mechanism, 4096)
        rows: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, credential, PASSWORD.encode()) for user in (USER, EXACT)
        ]
        for done in admin.alter_user_scram_credentials(rows).values():
            done.result()


def _properties(authority: Authority, giver: Giver) -> dict[str, str]:
    certfile, keyfile = authority.signed("broker")
    store = certfile.with_suffix(".store")
    store.write_bytes(keyfile.read_bytes() + certfile.read_bytes())
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in (USER, EXACT, CALLER, CONSUMER, OPERATOR))
    oauth = {
        f"listener.name.{name}.{key}": value
        for name in ("oauth", "short")
        for key, value in {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
            ),
            "oauthbearer.sasl.server.callback.handler.class": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
        }.items()
    }
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Everybody who gets in may do all, but one: who that is is the other tests' business.
        "super.users": f"User:ANONYMOUS;User:CN=client;User:{USER};User:{CLIENT}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.cafile),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl.plain.sasl.jaas.config": f"{plain} required {users};",
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
        "sasl.oauthbearer.jwks.endpoint.url": giver.keys_url,
        "sasl.oauthbearer.expected.audience": AUDIENCE,
        "sasl.oauthbearer.expected.issuer": ISSUER,
        **oauth,
        "listener.name.short.oauthbearer.connections.max.reauth.ms": str(REAUTHENTICATE_MS),
    }
