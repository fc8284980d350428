"""The groups of settings about Kafka: the way into it, which every client needs, and the bridge's own manners there.

A field's docstring is its row in docs/reference/configuration.md. Certificate files are read to see that they can be.
"""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bridge.settings.groups import Group
from bridge.settings.values import Duration, PublicUrl, Servers


class KafkaSecurity(Group):
    """How a client gets into Kafka, the bridge or any other."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """As in every Kafka client."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """Needed with SASL_PLAINTEXT and SASL_SSL."""
    username: str | None = None
    """For SASL, but OAUTHBEARER."""
    password: SecretStr | None = Field(default=None, validate_default=True)
    """For SASL, but OAUTHBEARER. From the environment or a secret file, not from the settings file."""
    ssl_cafile: Path | None = None
    """Who may sign the brokers' certificates (PEM); null: the system's authorities."""
    ssl_certfile: Path | None = None
    """The client's own certificate (PEM), where brokers ask for one."""
    ssl_keyfile: Path | None = Field(default=None, validate_default=True)
    """Its key (PEM, not encrypted)."""
    token_url: PublicUrl | None = None
    """For OAUTHBEARER: where tokens are given for client credentials, https."""
    client_id: str | None = None
    """For OAUTHBEARER: the name of the client there."""
    client_secret: SecretStr | None = Field(default=None, validate_default=True)
    """For OAUTHBEARER: its secret. From the environment or a secret file, not from the settings file."""
    scope: str | None = None
    """For OAUTHBEARER: what the token is to be good for, where the giver asks for it."""

    @field_validator("password")
    @classmethod
    def _can_sign_in(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        sasl = info.data.get("security_protocol", "").startswith("SASL")
        mechanism, username = info.data.get("sasl_mechanism", "?"), info.data.get("username", "?")
        if sasl and mechanism != "OAUTHBEARER" and not (mechanism and username and value):
            raise ValueError("with SASL, sasl_mechanism, username and password are all required")
        if not sasl and mechanism not in {None, "?"}:
            raise ValueError("sasl_mechanism is set, but security_protocol is not SASL_SSL or SASL_PLAINTEXT")
        return value

    @field_validator("ssl_cafile")
    @classmethod
    def _has_authorities(cls, value: Path | None) -> Path | None:
        if value is not None:
            _refuse_unless(lambda: ssl.create_default_context(cafile=value), "holds no certificates in PEM")
        return value

    @field_validator("ssl_keyfile")
    @classmethod
    def _fits_the_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("ssl_certfile")
        if value is not None and certificate is None:
            raise ValueError("needs ssl_certfile beside it")
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _refuse_unless(
                lambda: context.load_cert_chain(certificate, value, password=""),
                "and ssl_certfile are not an unencrypted key and its certificate in PEM",
            )
        return value

    @field_validator("client_secret")
    @classmethod
    def _can_get_a_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        wanted = info.data.get("sasl_mechanism") == "OAUTHBEARER"
        if wanted and not (info.data.get("token_url", "?") and info.data.get("client_id", "?") and value):
            raise ValueError("with OAUTHBEARER, token_url, client_id and client_secret are all required")
        return value


def _refuse_unless(read: Callable[[], object], otherwise: str) -> None:
    try:
        read()
    except ssl.SSLError:
        raise ValueError(otherwise) from None
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except OSError:
        raise ValueError("cannot be read by this user") from None


class KafkaSettings(KafkaSecurity):
    """How the bridge reaches Kafka, and how it behaves there."""

    bootstrap_servers: Servers = "localhost:9092"
    """`host:port`, several with commas."""
    member_id: str | None = None
    """Name of this replica, kept over restarts (a StatefulSet's pod name); null: a new one each time."""
    session_timeout: Duration = timedelta(seconds=6)
    """Silence after which the other replicas take over this one's shards."""
    request_timeout: Duration = timedelta(seconds=10)
    """For one request to a broker."""
    transaction_timeout: Duration = timedelta(seconds=20)
    """After this the broker itself ends a transaction whose owner is gone, and readers go on."""
