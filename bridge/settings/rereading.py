"""Settings whose secrets are as their files say now.

Made by `bridge.app` for a running bridge. Whoever needs a secret asks for it each time, and thereby has the files
looked at, once a second at most, once in ten seconds where there are a thousand: nothing runs beside it. The settings
are then read and checked as a whole, as at the start, and of the result the secrets are taken up. What cannot be used
is told and leaves all as it was.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bridge.settings.groups import Group
from bridge.settings.reporting import SettingsProblem
from bridge.settings.sources import secret_files
from bridge.settings.whole import Settings

LOOK_SECONDS = 1.0
FILES = 100
"""So many are looked at in a second at most, which costs some milliseconds: more of them are looked at more seldom."""

ACCOUNT = ("user_email", "access_token", "api_key")
GROUPS = {
    "commands": ("signing_keys",),
    "oauth": ("client_secret", "keys"),
    "server": ("token",),
    "webhooks": ("secret", "accept"),
}
"""What is taken up while the bridge runs, besides the credentials of accounts."""

_Marks = frozenset[tuple[str, int, int, int]]


class Rereading:
    """The settings as they are now."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings] | None,
        *,
        clock: Callable[[], float],
        renewed: Callable[[list[str]], None],
        unusable: Callable[[SettingsProblem], None],
    ) -> None:
        """`load` reads all sources again; without it nothing is ever renewed. `clock` is any steady one, in seconds.

        `renewed` gets the names of settings that have other values now.
        """
        self._settings = settings
        self._load = load
        self._clock = clock
        self._renewed = renewed
        self._unusable = unusable
        self._look_at = clock()
        self._marks: _Marks | None = None  # what was read at the start may have changed since

    def now(self) -> Settings:
        """The settings with the newest secrets."""
        if self._load is not None and self._clock() >= self._look_at:
            marks = frozenset(_marks(self._settings.secrets_dir))
            self._look_at = self._clock() + LOOK_SECONDS * max(1.0, len(marks) / FILES)
            if marks != self._marks:
                self._marks = marks  # taken before the files are read: what changes meanwhile is seen next time
                self._take_up(self._load)
        return self._settings

    def _take_up(self, load: Callable[[], Settings]) -> None:
        try:
            settings = with_secrets_of(self._settings, load())
        except SettingsProblem as problem:
            self._unusable(problem)
            return
        if names := [*_differing(self._settings, settings)]:
            self._settings = settings
            self._renewed(names)


def with_secrets_of(old: Settings, new: Settings) -> Settings:
    """The old settings with those of the new that may be taken up while the bridge runs."""
    accounts = {
        name: _taken(account, new.accounts[name], ACCOUNT) if name in new.accounts else account
        for name, account in old.accounts.items()
    }
    groups = {name: _taken(getattr(old, name), getattr(new, name), fields) for name, fields in GROUPS.items()}
    return old.model_copy(update={"accounts": accounts, **groups})


def _taken(old: Group, new: Group, fields: tuple[str, ...]) -> Group:
    return old.model_copy(update={field: getattr(new, field) for field in fields})


def _differing(old: Settings, new: Settings) -> Iterator[str]:
    for name, account in new.accounts.items():
        yield from (f"accounts.{name}.{field}" for field in _fields(old.accounts[name], account, ACCOUNT))
    for name, fields in GROUPS.items():
        yield from (f"{name}.{field}" for field in _fields(getattr(old, name), getattr(new, name), fields))


def _fields(old: Any, new: Any, fields: tuple[str, ...]) -> list[str]:
    return [field for field in fields if getattr(old, field) != getattr(new, field)]


def _marks(directory: Path) -> Iterator[tuple[str, int, int, int]]:
    """What tells that a file is another or was written to. Links are followed: Kubernetes changes where they lead."""
    for file in secret_files(directory):
        try:
            found = file.stat()
        except OSError:
            continue  # it is being replaced; reading it will tell
        yield str(file), found.st_ino, found.st_mtime_ns, found.st_size
