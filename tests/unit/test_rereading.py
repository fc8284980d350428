"""Secrets in mounted files change while the bridge runs: they are taken up as a whole, or left as they were."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bridge.app.webhooks import Tokens, digests
from bridge.copper import notifications
from bridge.settings import Rereading, Settings, SettingsProblem, load
from bridge.settings.rereading import LOOK_SECONDS

FIRST, NEXT = "canary-key-1", "canary-key-2"


class Mounted:
    """A directory of secret files and what a running bridge makes of it. `time` goes on by itself with every look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = 0.0
        self.looks = 0
        self.renewed: list[list[str]] = []
        self.unusable: list[SettingsProblem] = []
        self.write("accounts__acme__user_email", "ops@acme.example")
        self.write("accounts__acme__api_key", FIRST)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def load(self) -> Settings:
        self.looks += 1
        return load(None, {"BRIDGE_SECRETS_DIR": str(self.folder)}, {})

    def begin(self, read: Callable[[], Settings] | None = None) -> Rereading:
        return Rereading(
            self.load(),
            read or self.load,
            clock=lambda: self.time,
            renewed=self.renewed.append,
            unusable=self.unusable.append,
        )

    def later(self, rereading: Rereading) -> Settings:
        """The settings at the next look."""
        self.time += LOOK_SECONDS
        return rereading.now()


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path)


def key(settings: Settings) -> str:
    secret = settings.accounts["acme"].api_key
    assert secret is not None
    return secret.get_secret_value()


def test_a_file_that_is_written_to_or_replaced_is_taken_up(mounted: Mounted) -> None:
    secrets = mounted.begin()
    assert key(secrets.now()) == FIRST
    mounted.write("accounts__acme__api_key", NEXT)
    assert key(mounted.later(secrets)) == NEXT
    mounted.write("beside", "x")
    (mounted.folder / "beside").write_text(FIRST, encoding="utf-8")
    (mounted.folder / "beside").replace(mounted.folder / "accounts__acme__api_key")
    assert key(mounted.later(secrets)) == FIRST
    assert mounted.renewed == [["accounts.acme.api_key"]] * 2


def test_kubernetes_swap_of_a_link_is_taken_up(tmp_path: Path) -> None:
    def version(name: str, value: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "accounts__acme__api_key").write_text(value, encoding="utf-8")
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    version("..2026_1", FIRST)
    (tmp_path / "accounts__acme__api_key").symlink_to("..data/accounts__acme__api_key")
    read = partial(
        load, None, {"BRIDGE_SECRETS_DIR": str(tmp_path), "BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "o@a.example"}, {}
    )
    time = iter(range(100))
    secrets = Rereading(read(), read, clock=lambda: float(next(time)), renewed=print, unusable=print)
    assert key(secrets.now()) == FIRST
    version("..2026_2", NEXT)
    assert key(secrets.now()) == NEXT


def test_files_are_looked_at_once_a_second_and_read_only_when_they_have_changed(mounted: Mounted) -> None:
    secrets = mounted.begin()
    for _ in range(50):
        secrets.now()
    began = mounted.looks
    mounted.write("accounts__acme__api_key", NEXT)
    assert key(secrets.now()) == FIRST
    for _ in range(10):
        mounted.later(secrets)
    assert mounted.looks == began + 1


def test_a_thousand_files_are_looked_at_more_seldom(mounted: Mounted) -> None:
    for number in range(999):
        mounted.write(f"accounts__customer-{number}__access_token", FIRST)
    secrets = mounted.begin()
    secrets.now()
    mounted.write("accounts__acme__api_key", NEXT)
    seconds = 0.0
    while key(mounted.later(secrets)) == FIRST:
        seconds += LOOK_SECONDS
    assert 8 <= seconds <= 11


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ("", "be printable ASCII text and not empty"),
        ("  ", "be printable ASCII text and not empty"),
        ("two\nlines", "be printable ASCII text"),
        ("schlüssel", "be printable ASCII text"),
    ],
)
def test_what_cannot_be_used_is_told_once_without_a_value_and_changes_nothing(
    mounted: Mounted, broken: str, what: str
) -> None:
    secrets = mounted.begin()
    mounted.write("webhooks__secret", "a secret of sixteen")
    mounted.write("accounts__acme__api_key", broken)
    for _ in range(3):
        settings = mounted.later(secrets)
        assert (key(settings), settings.webhooks.secret) == (FIRST, None)
    (problem,) = mounted.unusable
    assert f"accounts__acme__api_key: accounts.acme.api_key: must {what}" in str(problem)
    assert not broken.strip() or broken not in str(problem)
    mounted.write("accounts__acme__api_key", NEXT)
    assert key(mounted.later(secrets)) == NEXT
    assert mounted.renewed == [["accounts.acme.api_key", "webhooks.secret"]]


def test_a_file_that_is_away_for_a_moment_changes_nothing(mounted: Mounted) -> None:
    secrets = mounted.begin()
    secrets.now()
    (mounted.folder / "accounts__acme__api_key").unlink()
    assert key(mounted.later(secrets)) == FIRST
    mounted.write("accounts__acme__api_key", FIRST)
    assert key(mounted.later(secrets)) == FIRST
    assert (len(mounted.unusable), mounted.renewed) == (1, [])


def test_a_file_changed_between_the_start_and_the_first_look_is_taken_up(mounted: Mounted) -> None:
    secrets = mounted.begin()
    mounted.write("accounts__acme__api_key", NEXT)
    assert key(secrets.now()) == NEXT


def test_signing_keys_come_and_go_with_their_files_and_nothing_but_secrets_is_taken_up(mounted: Mounted) -> None:
    secrets = mounted.begin()
    mounted.write("commands__signing_keys__shop", "a secret of sixteen")
    mounted.write("copper__timeout", "5s")
    mounted.write("accounts__other__access_token", "canary-token")
    settings = mounted.later(secrets)
    assert [*settings.commands.signing_keys] == ["shop"]
    assert (settings.copper.timeout.total_seconds(), [*settings.accounts]) == (20.0, ["acme"])
    (mounted.folder / "commands__signing_keys__shop").unlink()
    assert mounted.later(secrets).commands.signing_keys == {}


def test_a_key_in_the_environment_wins_over_its_file_as_at_the_start(mounted: Mounted) -> None:
    environ = {"BRIDGE_SECRETS_DIR": str(mounted.folder), "BRIDGE_ACCOUNTS__ACME__API_KEY": "canary-environment"}
    secrets = mounted.begin(lambda: load(None, environ, {}))
    mounted.write("accounts__acme__api_key", NEXT)
    assert key(mounted.later(secrets)) == "canary-environment"


def test_a_bridge_that_was_given_its_settings_looks_at_no_files(mounted: Mounted) -> None:
    settings = mounted.load()
    secrets = Rereading(settings, None, clock=lambda: mounted.time, renewed=print, unusable=print)
    mounted.write("accounts__acme__api_key", NEXT)
    assert mounted.later(secrets) is settings


def test_after_a_change_of_the_key_notifications_with_the_secret_of_the_old_one_are_taken_for_a_while(
    mounted: Mounted,
) -> None:
    secrets = mounted.begin()
    tokens = Tokens(secrets.now, lambda _account: None, lambda: mounted.time)
    (old,) = tokens.of("acme")
    assert old == notifications.digest(notifications.webhook_secret(FIRST, "acme"))
    mounted.write("accounts__acme__api_key", NEXT)
    (new,) = digests(mounted.later(secrets), "acme")
    assert tokens.of("acme") == (new, old)
    mounted.time += 10 * 60 + 30 * 60 - 1
    assert tokens.of("acme") == (new, old)
    mounted.time += 1
    assert tokens.of("acme") == (new,)
    assert tokens.of("nobody") == ()
