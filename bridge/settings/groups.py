"""The groups of settings about Copper and what flows to Kafka: frozen, each field with its meaning and unit.

Every part of the bridge is given the group it needs. A field's docstring is its row in docs/reference/configuration.md.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.payloads import did_you_mean
from bridge.policy.fields import ALWAYS
from bridge.settings.values import (
    ActionPatterns,
    Classes,
    Count,
    Credential,
    Duration,
    Email,
    FernetKey,
    KeyName,
    Names,
    PublicUrl,
    Secret,
    Secrets,
    Url,
)

CUSTOM_FIELD = re.compile(r"custom_fields\.[1-9][0-9]{0,15}")
WITH_KEY_FIELDS = [name for name, entity in CATALOGUE.entities.items() if "custom_fields" in entity.fields]
COPPERS_LIMIT = 180  # calls in any 60 seconds, for everything together (reference: Copper's "Rate limits")


class Group(BaseModel):
    """What all groups share: immutable, unknown keys refused, no value ever shown in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_said(cls, value: Any) -> Any:
        """A heading with all its keys commented out says nothing, and is no mistake."""
        return {} if value is None else value


class CopperSettings(Group):
    """How Copper is called."""

    base_url: Url = "https://api.copper.com/developer_api/v1"
    """Where Copper's API is."""
    requests_per_minute: Annotated[int, Field(ge=2, le=COPPERS_LIMIT)] = 170
    """Calls in any 60 seconds, per account. Copper allows 180 to everybody who uses the account together."""
    timeout: Duration = timedelta(seconds=20)
    """From the start of one call to its whole answer."""
    index_lag: Duration = timedelta(seconds=120)
    """How long Copper's search may lag behind a write; up to about 40 s was seen."""
    lateness: Duration = timedelta(seconds=60)
    """How long after our time-out Copper may still carry out a call that it received."""
    overlap: Duration = Field(default=None, validate_default=True)
    """How far a scan reads back before the start of the last one; at least `index_lag`, which null means."""

    @field_validator("overlap", mode="before")
    @classmethod
    def _as_long_as_the_lag(cls, value: object, info: ValidationInfo) -> object:
        return info.data.get("index_lag", timedelta(seconds=120)) if value is None else value

    @field_validator("overlap")
    @classmethod
    def _covers_the_lag(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("index_lag", value):
            raise ValueError("must be at least copper.index_lag, or changes are lost")
        return value


class AccountSettings(Group):
    """One Copper account: an API key with its user's e-mail address, or an access token."""

    user_email: Email | None = None
    """The user the API key belongs to; needed with `api_key`."""
    access_token: Credential | None = None
    """An OAuth access token (Bearer), instead of `api_key`."""
    api_key: Credential | None = Field(default=None, validate_default=True)
    """Copper's API key. From the environment or a secret file, not from the settings file."""
    commands_allowed: ActionPatterns | None = None
    """Of the actions in `commands.allowed` only these, for this account; null: all of them."""
    key_fields: Mapping[str, Count] = Field(
        default={}, json_schema_extra={"propertyNames": {"enum": [*WITH_KEY_FIELDS]}}
    )
    """Entity to the id of a Number custom field that marks what commands create: by it a create in doubt is found."""

    @field_validator("key_fields")
    @classmethod
    def _of_entities_that_have_some(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        for name in value:
            if name not in WITH_KEY_FIELDS:
                raise ValueError(f'"{name}" has no custom fields{did_you_mean(name, WITH_KEY_FIELDS)}')
        return value

    @field_validator("api_key")
    @classmethod
    def _one_way_to_sign_in(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("access_token", "") is None:
            raise ValueError("is required, or access_token")
        if value is not None and info.data.get("access_token") is not None:
            raise ValueError("and access_token are both set; one of them is to go")
        if value is not None and not info.data.get("user_email", "?"):
            raise ValueError("needs user_email beside it")
        return value


class OAuthSettings(Group):
    """Accounts that their owners connect by OAuth 2.0: the application that Copper has registered for you."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")] | None = None
    """As Copper gave it to you; null: nobody can connect an account."""
    client_secret: Credential | None = Field(default=None, validate_default=True)
    """The secret beside it. From the environment or a secret file."""
    keys: Mapping[KeyName, FernetKey] = Field(default={}, validate_default=True)
    """Names to keys that seal tokens in Kafka and sign links; the last name in order seals. From the same places."""
    link_valid: Duration = timedelta(days=7)
    """How long a link may be used to connect an account."""
    authorize_url: Url = "https://app.copper.com/oauth/authorize"
    """Where a customer is asked for consent."""
    token_url: Url = "https://app.copper.com/oauth/token"  # noqa: S105 - an address
    """Where a code is made a token."""

    @field_validator("client_secret", "keys")
    @classmethod
    def _with_a_client(cls, value: Any, info: ValidationInfo) -> Any:
        if not value and info.data.get("client_id") is not None:
            raise ValueError("is required with client_id")
        return value


class TopicsSettings(Group):
    """What the topics are called and how they are made."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$")] = "copper"
    """First part of every topic's name; `[a-z0-9.-]`."""
    partitions: Count = 4
    """Of every topic, chosen once and for ever: what belongs to one account lies in one partition number everywhere."""
    replication_factor: Count = 3
    """Of topics the bridge makes. Only 3 is safe when a broker fails; 1 on a single broker."""
    manage: Literal["create", "verify", "off"] = "create"
    """create: make what is missing; verify: refuse to start when something is missing; off: do not look."""


class FieldsSettings(Group):
    """What of an entity's records may leave Copper: in events, state, replies. Id and the two stamps always do.

    Names are fields of the entity, `custom_fields`, or `custom_fields.<definition id>`.
    """

    allow: Names | None = None
    """Only these; null: all."""
    deny: Names = ()
    """Not these."""
    hash: Names = ()
    """These with every text in them replaced by its keyed hash (`events.hash_key`), and every number by null."""


class EntityEvents(Group):
    """What is special for one entity."""

    enabled: bool = True
    """false: this entity is not polled and has no webhooks; commands on it still work, and tell what they changed."""
    poll_every: Duration | None = None
    """Instead of `events.poll_every`."""
    fields: FieldsSettings = FieldsSettings()
    """What of its records may leave Copper."""


class EventsSettings(Group):
    """Copper to Kafka."""

    poll_every: Duration = timedelta(seconds=15)
    """From the start of one scan for changes to the start of the next, per entity."""
    poll_busy_every: Duration | None = None
    """The same while scans find something, if the budget allows it; null: a quarter of `poll_every`."""
    poll_idle_every: Duration | None = None
    """The same while scans find nothing and webhooks tell what changes; null: `poll_every`."""
    deep_every: Duration = timedelta(minutes=5)
    """The scan that reads an hour back, to catch and count what came later than `copper.overlap`."""
    sweep_every: Duration = timedelta(hours=6)
    """Every known record is asked for at least this often: so late is a delete whose webhook was lost."""
    hold_deletes_above: Count = 500
    """More missing records than this in one sweep of an account are held back until an operator decides."""
    hold_deletes_percent: Annotated[float, Field(gt=0, le=100)] = 10.0
    """The same for this share of an entity's known records, from eleven on."""
    backfill: Literal["none", "created"] = "none"
    """What a new account's existing records become: none: snapshot rows; created: created events too."""
    drop: Classes = ()
    """Classes of updates that are no events: `interaction`, `enrichment`. `.state` shows them all the same."""
    company: EntityEvents = EntityEvents()
    """For companies."""
    person: EntityEvents = EntityEvents()
    """For people."""
    lead: EntityEvents = EntityEvents()
    """For leads."""
    opportunity: EntityEvents = EntityEvents()
    """For opportunities."""
    task: EntityEvents = EntityEvents()
    """For tasks."""
    project: EntityEvents = EntityEvents()
    """For projects."""
    hash_key: Secret | None = Field(default=None, validate_default=True)
    """Keys the hashes of `fields.hash`; 16 characters or more. From the environment or a secret file."""

    @field_validator("poll_busy_every", "poll_idle_every")
    @classmethod
    def _around_the_usual(cls, value: timedelta | None, info: ValidationInfo) -> timedelta | None:
        usual, busy = info.data.get("poll_every"), info.field_name == "poll_busy_every"
        if value is None or usual is None or value == usual or (value < usual) is busy:
            return value
        if busy:
            raise ValueError("must be at most events.poll_every, which is for entities that are quiet")
        raise ValueError("must be at least events.poll_every, which is for entities that are not idle")

    @field_validator("company", "person", "lead", "opportunity", "task", "project")
    @classmethod
    def _fields_that_there_are(cls, value: EntityEvents, info: ValidationInfo) -> EntityEvents:
        fields = CATALOGUE.entities[info.field_name or ""].fields
        for name in (*(value.fields.allow or ()), *value.fields.deny, *value.fields.hash):
            if name not in fields and not CUSTOM_FIELD.fullmatch(name):
                raise ValueError(f'fields: "{name}" is no field of it{did_you_mean(name, [*fields])}')
        for name in (*value.fields.deny, *value.fields.hash):
            if name in ALWAYS:
                raise ValueError(f'fields: "{name}" is always kept: decisions about changes stand on it')
        return value

    @field_validator("hash_key")
    @classmethod
    def _there_when_needed(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        entities = (each for each in info.data.values() if isinstance(each, EntityEvents))
        if value is None and any(each.fields.hash for each in entities):
            raise ValueError("is required with fields.hash")
        return value

    def of(self, entity: str) -> EntityEvents:
        """What holds for this entity, with the common values where it has none of its own."""
        own: EntityEvents = getattr(self, entity)
        return own.model_copy(update={"poll_every": own.poll_every or self.poll_every})


class WebhooksSettings(Group):
    """Copper's notifications."""

    public_url: PublicUrl | None = None
    """Where Copper reaches the public port, https. null: no subscriptions, deletes are noticed by sweeps alone."""
    secret: Secret | None = None
    """What they carry, 16 characters or more; null: derived from the API key. From the environment or a secret file."""
    accept: Secrets = ()
    """What they may carry as well: the next secret before a change, the last one after it. From the same places."""
    window: Duration = timedelta(minutes=30)
    """A notification older than this is refused; Copper sends them up to 15 minutes late."""
    sync_every: Duration = timedelta(minutes=10)
    """How often the subscriptions at Copper are compared with what they should be."""
