"""The key that a caller signs its commands with, out of an environment: never a flag, which others on the computer see.

Called by `copper-bridge call` and by programs that open `CopperCommands`.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bridge.contract.signing import SigningKey

KEY_ID = "COPPER_SIGNING_KEY_ID"
SECRET = "COPPER_SIGNING_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE = "COPPER_SIGNING_SECRET_FILE"  # noqa: S105 - the name of a variable
_ID = re.compile(r"[a-z0-9_-]+")


def signing_key(environ: Mapping[str, str] = os.environ) -> SigningKey | None:
    """The key of these variables; None when they name none.

    Raises:
        ValueError: they do not make a key; the text says which, and is free of the secret.
    """
    key_id, secret, file = (environ.get(name) or None for name in (KEY_ID, SECRET, SECRET_FILE))
    if key_id is None and secret is None and file is None:
        return None
    if key_id is None or not _ID.fullmatch(key_id):
        raise ValueError(f"{KEY_ID} must be the key's name in commands.signing_keys of the bridge")
    if (secret is None) == (file is None):
        raise ValueError(f"{KEY_ID} needs its secret in {SECRET}, or in the file that {SECRET_FILE} names")
    raw = secret.encode() if secret is not None else _content(Path(file or ""))
    if not raw:
        raise ValueError(f"{SECRET_FILE} names an empty file")
    return SigningKey(key_id, raw)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"{SECRET_FILE}: {path} cannot be read: {error.strerror}") from None
