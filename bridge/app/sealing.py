"""Sealing what must not be read in Kafka or on disk: Fernet (AES-128-CBC and HMAC-SHA-256), with keys that change.

The key whose name sorts last seals, every key opens: a new key is added first and used at once, the old one may go when
everything has been sealed anew. Made by `bridge.app.world` of the settings as they are now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bridge.contract.accounts import Connected, Sealed


@dataclass(frozen=True, slots=True)
class Opened:
    """What a consent brought, in clear. Another kind than `Sealed`, so that no record can be made of it."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


class Sealing:
    """The keys at work."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` maps names to Fernet keys: 32 bytes in URL-safe base 64, as settings have checked; at least one."""
        self._newest_first = {name: Fernet(keys[name]) for name in sorted(keys, reverse=True)}
        self._keys = MultiFernet([*self._newest_first.values()])

    def seal(self, account: str, secrets: Opened) -> Sealed:
        """Ciphertext of both; another one each time. It is this account's: as another's it cannot be opened."""
        texts = (f"{account} {each}".encode() for each in (secrets.token, secrets.secret))
        return Sealed(*(self._keys.encrypt(each).decode() for each in texts))

    def opened(self, account: str, sealed: Sealed) -> Opened | None:
        """What is in both; None when either was sealed for another account, or with a key that is not there (now)."""
        try:
            texts = [self._keys.decrypt(each.encode()).decode().partition(" ") for each in _both(sealed)]
        except (InvalidToken, ValueError):
            return None
        return Opened(*(text for _, _, text in texts)) if all(owner == account for owner, _, _ in texts) else None

    def key_of(self, sealed: Sealed) -> str | None:
        """The name of the oldest key that is needed to open both; None when one is not there."""
        needed = [self._opener(each) for each in _both(sealed)]
        return None if None in needed else min(name for name in needed if name is not None)

    def outdated(self, sealed: Sealed) -> bool:
        """Whether another key than the newest sealed either."""
        return self.key_of(sealed) != next(iter(self._newest_first))

    def renewed(self, entry: Connected, opened: Opened) -> Connected:
        """The entry with its secrets sealed anew."""
        return replace(entry, sealed=self.seal(entry.account, opened))

    def _opener(self, text: str) -> str | None:
        for name, key in self._newest_first.items():
            try:
                key.decrypt(text.encode())
            except InvalidToken:
                continue
            return name
        return None


def _both(sealed: Sealed) -> tuple[str, str]:
    return sealed.token, sealed.secret
