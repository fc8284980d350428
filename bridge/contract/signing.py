"""Signatures of commands: an HMAC over everything in a record that says what is to be done (contract.md §4.1).

Called by `commands.decode` (verify) and by clients (sign_command). For topics that more may write to than may command:
whoever has no key can make no command, change none, and send none again under another id, topic or reply address.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.contract.failures import Code, Failure
from bridge.contract.headers import COMMAND_ID, CORRELATION, DEADLINE, REPLY_PARTITION, REPLY_TOPIC
from bridge.contract.records import Headers, Incoming

SIGNATURE = "copper-signature"
SIGNED = (
    *COMMAND_ID, "ce_source", "ce_type", *CORRELATION, *REPLY_TOPIC, REPLY_PARTITION, *DEADLINE, "lane"
)  # fmt: skip
"""Headers that a signature covers, in this order: all that the bridge understands, present or not."""

_VERSION = "v1"
_DOMAIN = b"copper-command-v1"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Secrets by key id. Without any, signatures are neither asked for nor looked at."""

    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def refusal(self, record: Incoming) -> Failure | None:
        """Why a readable command does not count as signed; None when it does, or when nobody asks for it."""
        said = self._problem(record) if self.secrets else None
        return None if said is None else Failure(Code.FORBIDDEN, "Not allowed", said, {SIGNATURE: (said,)})

    def _problem(self, record: Incoming) -> str | None:
        given = record.header(SIGNATURE)
        if given is None:
            return f"this bridge takes signed commands only: the header {SIGNATURE} is missing"
        version, key_id, mac = _parts(given)
        if version != _VERSION:
            return f"{SIGNATURE} must be {_VERSION};<key id>;<HMAC-SHA-256 as 64 hex digits>"
        secret = self.secrets.get(key_id)
        wanted = _mac(secret or b"", record.position.topic, record.key, record.value, record.headers)
        # Compared all the same for a key that there is not: the time tells nothing.
        if not hmac.compare_digest(wanted.encode(), mac) or secret is None:
            return "the signature is not one of a key of this bridge over this topic, key, value and headers"
        # Without these a copy of the record would be carried out again, some day.
        for family in (COMMAND_ID, DEADLINE):
            if all(record.header(name) is None for name in family):
                return f"a signed command needs the header {' or '.join(family)}"
        return None


NO_KEYS = SigningKeys()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key to sign commands with, as the bridge has it in `commands.signing_keys`."""

    id: str
    secret: bytes = field(repr=False)

    def signed(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Headers:
        """The headers of a complete command with its signature added."""
        return (*headers, sign_command(topic, key, value, headers, key_id=self.id, secret=self.secret))


def sign_command(
    topic: str, key: bytes | None, value: bytes | None, headers: Headers, *, key_id: str, secret: bytes
) -> tuple[str, bytes]:
    """The header to add to a command that is otherwise complete. It needs an id and a deadline to be accepted."""
    return SIGNATURE, f"{_VERSION};{key_id};{_mac(secret, topic, key, value, headers)}".encode()


def _mac(secret: bytes, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> str:
    parts = [_DOMAIN, topic.encode(), key, value, *(_first(headers, name) for name in SIGNED)]
    return hmac.new(secret, b"".join(map(_framed, parts)), hashlib.sha256).hexdigest()


def _framed(part: bytes | None) -> bytes:
    """A netstring, so that no part can pass for another; what is absent differs from what is empty."""
    return b"-," if part is None else b"%d:%b," % (len(part), part)


def _first(headers: Headers, name: str) -> bytes | None:
    return next((value for key, value in headers if key == name), None)


def _parts(given: bytes) -> tuple[str, str, bytes]:
    version, _, rest = given.partition(b";")
    key_id, _, mac = rest.partition(b";")
    return version.decode(errors="replace"), key_id.decode(errors="replace"), mac
