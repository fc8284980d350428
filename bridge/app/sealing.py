"""Sealing what must not be read in Kafka or on disk: Fernet (AES-128-CBC and HMAC-SHA-256), with keys that change.

The key whose name sorts last seals, every key opens: a new key is added first and used at once, the old one may go when
everything has been sealed anew. Made by `bridge.app.accounts`.
"""

from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Sealing:
    """The keys at work."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` maps names to Fernet keys: 32 bytes in URL-safe base 64, as settings have checked."""
        newest_first = [keys[name] for name in sorted(keys, reverse=True)]
        self._newest = newest_first[0]
        self._keys = MultiFernet([Fernet(key) for key in newest_first])

    def seal(self, secret: str) -> str:
        """Ciphertext; another one each time."""
        return self._keys.encrypt(secret.encode()).decode()

    def opened(self, sealed: str) -> str | None:
        """The secret; None when it was sealed with a key that is not there any more."""
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None

    def outdated(self, sealed: str) -> bool:
        """Whether another key than the newest sealed it."""
        try:
            Fernet(self._newest).decrypt(sealed.encode())
        except InvalidToken:
            return True
        return False
