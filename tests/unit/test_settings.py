"""Settings: every source and its rank, every refusal with its place, and no secret in any of it."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bridge.contract.catalogue import CATALOGUE
from bridge.settings import AccountSettings, EventsSettings, Settings, SettingsProblem, load, load_reach
from bridge.settings.sources import from_environment
from bridge.settings.values import in_words

EXAMPLE = """
instance: copper-bridge
copper:
  base_url: https://api.copper.com/developer_api/v1
  requests_per_minute: 170
  timeout: 20s
  index_lag: 120s
accounts:
  acme: {user_email: ops@acme.example}
kafka:
  bootstrap_servers: localhost:9092
  security_protocol: PLAINTEXT
topics: {prefix: copper, partitions: 4, replication_factor: 3, manage: create}
events:
  poll_every: 15s
  deep_every: 5m
  sweep_every: 6h
  backfill: none
  company: {poll_every: 5s}
  task: {enabled: false}
commands: {allow_delete: true, max_in_flight: 16}
replies: {allowed: ["copper.*.replies", "*.copper-replies"]}
webhooks: {public_url: null}
server:
  public:   {host: 0.0.0.0, port: 8080}
  internal: {host: 0.0.0.0, port: 8081}
state: {dir: /var/lib/copper-bridge}
shutdown_grace: 25s
"""
KEY = {"BRIDGE_ACCOUNTS__ACME__API_KEY": "canary-key"}
TOKEN: dict[str, Any] = {"accounts": {"acme": {"access_token": "canary-token"}}}

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "bridge.yaml"
        path.write_text(text)
        return path

    return write_file


def report(path: Path | None, environ: Mapping[str, str] = {}, overrides: Mapping[str, Any] = {}) -> list[str]:
    with pytest.raises(SettingsProblem) as caught:
        load(path, environ, overrides)
    text = str(caught.value)
    assert "canary" not in text
    return text.replace(f"{path.parent}/" if path else "\0", "").splitlines()


def test_every_key_of_the_example_is_accepted(write: Write) -> None:
    settings = load(write(EXAMPLE), KEY, {})
    assert settings.copper.timeout == timedelta(seconds=20)
    assert settings.events.of("company").poll_every == timedelta(seconds=5)
    assert settings.events.of("person").poll_every == timedelta(seconds=15)
    assert not settings.events.of("task").enabled
    assert settings.accounts["acme"].api_key == SecretStr("canary-key")
    assert settings.server.internal.port == 8081


def test_the_example_says_nothing_but_defaults_where_it_does_not_name_an_account_or_entity(write: Write) -> None:
    said = load(write(EXAMPLE.replace("  company: {poll_every: 5s}\n  task: {enabled: false}\n", "")), KEY, {})
    assert said == load(None, KEY | {"BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example"}, {})


def test_flags_win_over_environment_over_secret_files_over_yaml_over_defaults(write: Write, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    path = write(f"log: {{level: debug}}\ninstance: yaml\nsecrets_dir: {secrets}\nkafka: {{member_id: yaml}}\n")
    assert load(path, {}, TOKEN).instance == "yaml"
    (secrets / "instance").write_text("file\n")
    assert load(path, {}, TOKEN).instance == "file"
    assert load(path, {"BRIDGE_INSTANCE": "environment"}, TOKEN).instance == "environment"
    settings = load(path, {"BRIDGE_INSTANCE": "environment"}, TOKEN | {"instance": "flag"})
    assert (settings.instance, settings.kafka.member_id, settings.log.level) == ("flag", "yaml", "debug")


def test_a_dash_in_an_account_name_is_an_underscore_in_its_variable(write: Write) -> None:
    path = write("accounts: {acme-east: {user_email: ops@acme.example}}")
    settings = load(path, {"BRIDGE_ACCOUNTS__ACME_EAST__API_KEY": "canary-key"}, {})
    assert list(settings.accounts) == ["acme-east"]
    assert settings.accounts["acme-east"].api_key == SecretStr("canary-key")


@pytest.mark.parametrize("name", ["accounts/acme/access_token", "accounts__acme__access_token"])
def test_a_mounted_secret_is_read_through_kubernetes_links(tmp_path: Path, name: str) -> None:
    real = tmp_path / "..2026_11_25" / name
    real.parent.mkdir(parents=True)
    real.write_text("canary-token\n")
    (tmp_path / "..data").symlink_to("..2026_11_25")
    (tmp_path / Path(name).parts[0]).symlink_to(f"..data/{Path(name).parts[0]}")
    settings = load(None, {"BRIDGE_SECRETS_DIR": str(tmp_path)}, {})
    assert settings.accounts["acme"].access_token == SecretStr("canary-token")


def test_every_setting_has_a_variable() -> None:
    for place, _ in keys(Settings, ()):
        variable = "BRIDGE_" + "__".join(place).upper().replace("-", "_")
        assert from_environment({variable: "text"}).places == {place: f"environment {variable}"}


def test_a_list_in_a_variable_is_written_with_commas() -> None:
    settings = load(None, {"BRIDGE_REPLIES__ALLOWED": "mine.*, yours.*"}, TOKEN)
    assert settings.replies.allowed == ("mine.*", "yours.*")


def test_what_commands_may_do_is_said_for_all_accounts_and_for_one(write: Write) -> None:
    path = write("commands: {allowed: [company.*, '*.get']}\naccounts: {acme: {commands_allowed: []}}")
    settings = load(path, {}, TOKEN)
    assert settings.commands.allowed == ("company.*", "*.get")
    assert settings.accounts["acme"].commands_allowed == ()
    assert load(None, {}, TOKEN).accounts["acme"].commands_allowed is None


def test_keys_that_sign_commands_come_from_variables_and_mounted_files_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "commands__signing_keys__erp_2026").write_text("canary-canary-canary\n")
    environ = {"BRIDGE_SECRETS_DIR": str(tmp_path), "BRIDGE_COMMANDS__SIGNING_KEYS__SHOP": "canary-canary-canary-2"}
    commands = load(None, environ, TOKEN).commands
    assert {name: key.get_secret_value() for name, key in commands.signing_keys.items()} == {
        "erp_2026": "canary-canary-canary",
        "shop": "canary-canary-canary-2",
    }
    assert "canary" not in repr(commands)


def test_an_empty_variable_and_those_of_a_service_called_bridge_are_not_settings() -> None:
    foreign = {"BRIDGE_SERVICE_HOST": "10.0.0.1", "BRIDGE_PORT": "tcp://10.0.0.1:80", "BRIDGE_PORT_80_TCP_ADDR": "x"}
    foreign |= {"BRIDGE_WEB_SERVICE_PORT_HTTP": "80", "BRIDGE_CONFIG": "bridge.yaml", "BRIDGE_INSTANCE": ""}
    assert load(None, foreign, TOKEN).instance == "copper-bridge"


def test_a_word_that_old_yaml_takes_for_a_boolean_stays_a_word(write: Write) -> None:
    assert load(write("topics: {manage: off}\naccounts: {no: {access_token: t}}"), {}, {}).topics.manage == "off"


def test_null_is_the_default_and_quoted_null_is_text(write: Write) -> None:
    settings = load(write('kafka: {member_id: "null"}\ncopper: {overlap: null, index_lag: 90s}'), {}, TOKEN)
    assert settings.kafka.member_id == "null"
    assert settings.copper.overlap == timedelta(seconds=90)


def test_all_problems_are_told_at_once_with_file_line_and_the_way_out(write: Write) -> None:
    path = write(
        "copper:\n"
        "  requests_per_minute: canary\n"
        "  timout: 5s\n"
        "  overlap: 10s\n"
        "accounts:\n"
        "  acme: {user_email: canary@acme.example}\n"
        "  Big_Co: {access_token: canary}\n"
        "events:\n"
        "  poll_every: 15\n"
        "  compny: {poll_every: 5s}\n"
        "  task: {pol_every: 3s}\n"
        "topics: {partitions: 0, manage: canary}\n"
        "kafka: {security_protocol: SASL_SSL, username: canary}\n"
        "server: {public: canary}\n"
    )
    assert report(path, {"BRIDGE_KAFKA__REQUEST_TIMOUT": "4s"}, {"log": {"levl": "canary"}}) == [
        "bridge.yaml:2: copper.requests_per_minute: must be a whole number",
        'bridge.yaml:3: copper.timout: unknown key; did you mean "timeout"?',
        "bridge.yaml:4: copper.overlap: must be at least copper.index_lag, or changes are lost",
        "bridge.yaml:6: accounts.acme.api_key: is required, or access_token" + way_out("accounts/acme/api_key"),
        "bridge.yaml:7: accounts.Big_Co: must match ^[a-z0-9-]+$",
        "bridge.yaml:9: events.poll_every: must be a duration such as 250ms, 15s, 5m or 6h",
        'bridge.yaml:10: events.compny: unknown key; did you mean "company"?',
        'bridge.yaml:11: events.task.pol_every: unknown key; did you mean "poll_every"?',
        "bridge.yaml:12: topics.manage: must be 'create', 'verify' or 'off'",
        "bridge.yaml:12: topics.partitions: must be greater than or equal to 1",
        "bridge.yaml:13: kafka.password: with SASL, sasl_mechanism, username and password are all required"
        + way_out("kafka/password"),
        "bridge.yaml:14: server.public: must be a mapping",
        'environment BRIDGE_KAFKA__REQUEST_TIMOUT: kafka.request_timout: unknown key; did you mean "request_timeout"?',
        'flag: log.levl: unknown key; did you mean "level"?',
        "14 problems, nothing started.",
    ]


def way_out(file: str) -> str:
    return f"; set BRIDGE_{file.upper().replace('/', '__')}, or mount a file {file} in secrets_dir"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("copper: {requests_per_minute: 181}", "copper.requests_per_minute: must be less than or equal to 180"),
        ("copper: {timeout: 0s}", "copper.timeout: must be longer than nothing"),
        ("copper: {base_url: 'ftp://x'}", "copper.base_url: must be an address such as https://bridge.example.com"),
        ("copper: {base_url: 'https://canary:canary@x'}", "copper.base_url: must not contain a user name or password"),
        ("copper: {base_url: 'https://x/v1?canary'}", "copper.base_url: must not contain a query or fragment"),
        (
            "webhooks: {public_url: 'http://bridge.example'}",
            "webhooks.public_url: must be https: secrets and ids travel",
        ),
        (
            "events: {poll_busy_every: 20s}",
            "events.poll_busy_every: must be at most events.poll_every, which is for entities that are quiet",
        ),
        (
            "events: {poll_every: 2m, poll_idle_every: 1m}",
            "events.poll_idle_every: must be at least events.poll_every, which is for entities that are not idle",
        ),
        ("kafka: {sasl_mechanism: PLAIN}", "kafka.password: sasl_mechanism is set, but security_protocol is not SASL"),
        ("kafka: {ssl_cafile: /no/canary.pem}", "kafka.ssl_cafile: there is no such file"),
        ("kafka: {ssl_cafile: /dev/null}", "kafka.ssl_cafile: holds no certificates in PEM"),
        ("kafka: {ssl_certfile: /no/canary.pem}", "kafka.ssl_keyfile: there is no such file"),
        ("kafka: {ssl_certfile: /dev/null}", "kafka.ssl_keyfile: and ssl_certfile are not an unencrypted key and its"),
        ("kafka: {ssl_keyfile: /no/canary.pem}", "kafka.ssl_keyfile: needs ssl_certfile beside it"),
        (
            "kafka: {security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER, client_id: canary}",
            "kafka.client_secret: with OAUTHBEARER, token_url, client_id and client_secret are all required"
            + way_out("kafka/client_secret"),
        ),
        ("kafka: {token_url: 'http://idp.example/token'}", "kafka.token_url: must be https: secrets"),
        ("kafka: {bootstrap_servers: canary}", "kafka.bootstrap_servers: must match "),
        ("server: {public: {port: 70000}}", "server.public.port: must be less than or equal to 65535"),
        ("topics: {prefix: Copper}", "topics.prefix: must match ^[a-z0-9.-]+$"),
        ("accounts: {acme: {api_key: canary}}", "accounts.acme.api_key: and access_token are both set"),
        ("events: {drop: [edit]}", "events.drop: must be 'interaction' or 'enrichment'"),
        (
            "events: {lead: {fields: {deny: [nam]}}}",
            'events.lead: fields: "nam" is no field of it',
        ),
        ("events: {lead: {fields: {hash: [id]}}}", 'events.lead: fields: "id" is always kept'),
        ("events: {lead: {fields: {hash: [name]}}}", "events.hash_key: is required with fields.hash"),
        ("events: {hash_key: ''}", "events.hash_key: must have 16 characters or more"),
        (
            "events: {lead: {fields: {allow: [custom_fields.x]}}}",
            'events.lead: fields: "custom_fields.x" is no field of it, did you mean "custom_fields"?',
        ),
        (
            "commands: {allowed: [company.get, compny.*]}",
            'commands.allowed: "compny.*" matches no action, did you mean "company.*"?',
        ),
        ("commands: {allowed: [lead.upset]}", 'commands.allowed: "lead.upset" matches no action, did you mean "lead.'),
        (
            "accounts: {acme: {commands_allowed: '*.delte'}}",
            'accounts.acme.commands_allowed: "*.delte" matches no action, did you mean "*.delete"?',
        ),
        ("commands: {signing_keys: {shop: canary}}", "commands.signing_keys.shop: must have 16 characters or more"),
        (
            "commands: {signing_keys: {Shop: canary-canary-canary}}",
            "commands.signing_keys.Shop: must match ^[a-z0-9_-]",
        ),
        ("webhooks: {secret: canary}", "webhooks.secret: must have 16 characters or more"),
        ("webhooks: {accept: [a-good-long-canary, canary]}", "webhooks.accept: must have 16 characters or more"),
        ("instance: {x: 1}", "instance: must be text"),
        ("copper: 5\nevents: [a]", "copper: must be a mapping"),
        ("zzz: 1", "zzz: unknown key; known are accounts, commands, copper"),
        ("log: {level: info}\nlog: {level: info}", "log: stands twice; the other is"),
        ("a: b: c", "is no valid YAML: mapping values are not allowed here"),
        ("- 1", "must be a mapping of settings"),
        ("secrets_dir: /no/such/place", "secrets_dir: there is no such directory"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(write: Write, said: str, what: str) -> None:
    first = report(write(said), {}, TOKEN)[0]
    assert re.sub(r"^bridge\.yaml:\d+: ", "", first).startswith(what)


def test_no_account_at_all_is_told_with_an_example(write: Write) -> None:
    assert report(write("log: {level: info}"))[0].startswith("bridge.yaml: accounts: at least one account is needed")


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    assert report(tmp_path / "bridge.yaml")[0].startswith("bridge.yaml: there is no such file")


def test_a_secret_file_with_an_unknown_name_is_told_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "passwrd").write_text("canary")
    told = report(None, {"BRIDGE_SECRETS_DIR": str(tmp_path)}, TOKEN)[0]
    assert told == f'{tmp_path}/kafka/passwrd: kafka.passwrd: unknown key; did you mean "password"?'


def test_programs_that_are_no_bridge_need_only_the_way_to_the_topics(write: Write, tmp_path: Path) -> None:
    (tmp_path / "kafka__password").write_text("canary")
    path = write(f"topics: {{prefix: crm}}\nkafka: {{bootstrap_servers: 'k:1'}}\nevents: 7\nsecrets_dir: {tmp_path}")
    reach = load_reach(path, {"BRIDGE_KAFKA__USERNAME": "ops"}, {"kafka": {"bootstrap_servers": "k:2"}})
    assert (reach.kafka.bootstrap_servers, reach.kafka.username, reach.topics.prefix) == ("k:2", "ops", "crm")
    assert reach.kafka.password == SecretStr("canary")
    assert load_reach(None, {}, {}).kafka.bootstrap_servers == "localhost:9092"
    with pytest.raises(SettingsProblem, match=r"bridge\.yaml:2: kafka\.servers: unknown key"):
        load_reach(write("topics: {}\nkafka: {servers: k}"), {}, {})


def test_a_plain_public_url_is_fine_on_this_computer() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        settings = load(None, {}, TOKEN | {"webhooks": {"public_url": f"http://{host}:8080/"}})
        assert settings.webhooks.public_url == f"http://{host}:8080"


def test_lists_may_be_written_with_commas() -> None:
    told = {
        "BRIDGE_EVENTS__DROP": "interaction, enrichment",
        "BRIDGE_EVENTS__PERSON__FIELDS__HASH": "name,emails",
        "BRIDGE_EVENTS__HASH_KEY": "canary" * 3,
    }
    events = load(None, told, TOKEN).events
    assert (events.drop, events.person.fields.hash) == (("interaction", "enrichment"), ("name", "emails"))
    assert "canary" not in repr(events)


def test_no_secret_is_in_any_representation() -> None:
    kafka = {"BRIDGE_KAFKA__PASSWORD": "canary", "BRIDGE_KAFKA__CLIENT_SECRET": "canary"}
    settings = load(None, kafka | {"BRIDGE_WEBHOOKS__SECRET": "canary" * 3}, TOKEN)
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("15s", 15), ("5m", 300), ("6h", 21600), ("2d", 172800), ("1.5s", 1.5)]
)
def test_durations_are_written_with_their_unit(text: str, seconds: float) -> None:
    assert load(None, {"BRIDGE_COPPER__TIMEOUT": text}, TOKEN).copper.timeout.total_seconds() == seconds


@pytest.mark.parametrize("text", ["15", "-5s", "5 parsecs", "s", "1e3s", "\u0663s"])
def test_a_duration_without_a_unit_or_sense_is_refused(text: str) -> None:
    assert "must be a duration" in report(None, {"BRIDGE_COPPER__TIMEOUT": text}, TOKEN)[0]


def test_every_entity_of_the_catalogue_that_has_events_can_have_its_own_settings() -> None:
    own = {name for name, field in EventsSettings.model_fields.items() if "EntityEvents" in str(field.annotation)}
    assert own == {trigger.entity for trigger in CATALOGUE.triggers}


def test_the_reference_has_a_row_for_every_setting() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
    assert [row for row in rows() if row not in text.splitlines()] == []


def rows() -> Iterator[str]:
    """The table of docs/reference/configuration.md as the fields' docstrings make it."""
    for place, field in keys(Settings, ()):
        name = ".".join(place).replace("my-shop", "<name>")
        yield f"| `{name}` | {shown(place[-1], field.default)} | {field.description} |"


def shown(key: str, default: object) -> str:
    if key == "overlap" or default is None:
        return "null"
    if isinstance(default, timedelta):
        return f"`{in_words(default)}`"
    if isinstance(default, tuple | dict):
        return ", ".join(f"`{part}`" for part in default) or "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def keys(group: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in group.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from keys(type(field.default), (*place, name))
        elif name == "accounts":
            yield from keys(AccountSettings, (name, "my-shop"))
        else:
            yield (*place, name), field
