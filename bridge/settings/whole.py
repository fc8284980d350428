"""The settings as a whole, with the groups about the process itself.

A field's docstring is its row in docs/reference/configuration.md.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from bridge.settings.commanding import CommandsSettings, RepliesSettings
from bridge.settings.groups import (
    AccountSettings,
    CopperSettings,
    EventsSettings,
    Group,
    OAuthSettings,
    TopicsSettings,
    WebhooksSettings,
)
from bridge.settings.kafka import KafkaSettings
from bridge.settings.values import AccountName, Count, Duration, Port, Secret


class Listen(Group):
    """Where a port listens."""

    host: str = "0.0.0.0"  # noqa: S104 - a container's ports are opened by its service, not by its address
    """Address of the network interface; 0.0.0.0 is all of them."""
    port: Port = 8080
    """TCP port; 0 takes a free one."""


class ListenPublicly(Listen):
    """The same for the public port."""

    max_connections: Count = 200
    """Connections at once; what comes beyond is closed at once."""


class ListenInternally(Listen):
    """The same for the internal port."""

    port: Port = 8081
    """TCP port; 0 takes a free one."""


class ServerSettings(Group):
    """The two HTTP ports."""

    public: ListenPublicly = ListenPublicly()
    """Webhooks and the OAuth callback, nothing else."""
    internal: ListenInternally = ListenInternally()
    """Health, metrics, status. Not for the internet."""
    token: Secret | None = None
    """What the internal port is to be shown before it changes an account; null: it changes none. From a secret file."""


class StateSettings(Group):
    """The local copy of what Kafka knows."""

    dir: Path = Path("/var/lib/copper-bridge")
    """A cache: it may be lost at any time and is then built again from Kafka."""


class LogSettings(Group):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""
    format: Literal["auto", "console", "json"] = "auto"
    """auto: for people on a terminal, JSON elsewhere."""


class Reach(Group):
    """What it takes to get at the topics, for programs that are no bridge."""

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicsSettings = TopicsSettings()


class Settings(Group):
    """Everything an operator may say."""

    instance: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")] = "copper-bridge"
    """Consumer group and prefix of the transactional ids: replicas share it, two bridges on one Kafka must not."""
    copper: CopperSettings = CopperSettings()
    oauth: OAuthSettings = OAuthSettings()
    accounts: dict[AccountName, AccountSettings] = Field(default={}, validate_default=True)
    kafka: KafkaSettings = KafkaSettings()
    topics: TopicsSettings = TopicsSettings()
    events: EventsSettings = EventsSettings()
    commands: CommandsSettings = CommandsSettings()
    replies: RepliesSettings = RepliesSettings()
    webhooks: WebhooksSettings = Field(default=WebhooksSettings(), validate_default=True)
    server: ServerSettings = ServerSettings()
    state: StateSettings = StateSettings()
    log: LogSettings = LogSettings()
    shutdown_grace: Duration = timedelta(seconds=25)
    """How long a stop may take to finish what is in flight; keep it below the pod's termination grace period."""
    secrets_dir: Path = Path("/etc/copper-bridge/secrets")
    """Directory of mounted secret files: `accounts/acme/api_key` or `accounts__acme__api_key` is that setting."""

    @field_validator("accounts")
    @classmethod
    def _somebody_to_serve(cls, value: dict[str, AccountSettings], info: ValidationInfo) -> dict[str, AccountSettings]:
        if not value and getattr(info.data.get("oauth"), "client_id", None) is None:
            raise ValueError("must name one account or more, or oauth must say how accounts are connected")
        return value

    @field_validator("webhooks")
    @classmethod
    def _an_address_to_come_back_to(cls, value: WebhooksSettings, info: ValidationInfo) -> WebhooksSettings:
        if value.public_url is None and getattr(info.data.get("oauth"), "client_id", None) is not None:
            raise ValueError("public_url is required with oauth.client_id: customers come back to it")
        return value
