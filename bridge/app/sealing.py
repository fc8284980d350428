"""Sealing what must not be read in Kafka or on disk: Fernet (AES-128-CBC and HMAC-SHA-256), with keys that change.

The key whose name sorts last seals, every key opens: a new key is added first and used at once, the old one may go when
everything has been sealed anew. Made by `bridge.app.world` of the settings as they are now.
"""

from collections.abc import Mapping
from dataclasses import replace

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bridge.contract.accounts import Connected, Sealed


class Sealing:
    """The keys at work."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` maps names to Fernet keys: 32 bytes in URL-safe base 64, as settings have checked; at least one."""
        newest_first = [Fernet(keys[name]) for name in sorted(keys, reverse=True)]
        self._newest = newest_first[0]
        self._keys = MultiFernet(newest_first)

    def seal(self, account: str, secrets: Sealed) -> Sealed:
        """Ciphertext of both; another one each time. It is this account's: as another's it cannot be opened."""
        return Sealed(*(self._keys.encrypt(f"{account} {each}".encode()).decode() for each in _both(secrets)))

    def opened(self, account: str, sealed: Sealed) -> Sealed | None:
        """What is in both; None when either was sealed for another account, or with a key that is not there (now)."""
        try:
            texts = [self._keys.decrypt(each.encode()).decode().partition(" ") for each in _both(sealed)]
        except (InvalidToken, ValueError):
            return None
        return Sealed(*(text for _, _, text in texts)) if all(owner == account for owner, _, _ in texts) else None

    def outdated(self, sealed: Sealed) -> bool:
        """Whether another key than the newest sealed either."""
        try:
            for each in _both(sealed):
                self._newest.decrypt(each.encode())
        except InvalidToken:
            return True
        return False

    def renewed(self, entry: Connected, opened: Sealed) -> Connected:
        """The entry with its secrets sealed anew."""
        return replace(entry, sealed=self.seal(entry.account, opened))


def _both(secrets: Sealed) -> tuple[str, str]:
    return secrets.token, secrets.secret
