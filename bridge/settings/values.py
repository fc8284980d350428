"""Kinds of values that settings are made of: durations, names, addresses. Pure; called by `bridge.settings.groups`."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from bridge.policy.permissions import checked

SHORTEST_SECRET = 16  # characters
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")


def duration(value: Any) -> Any:
    """`15s`, `5m`, `6h`, `250ms`, `14d` as a time span; a bare number has no unit and is refused."""
    if isinstance(value, timedelta):
        return value
    found = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a duration such as 250ms, 15s, 5m or 6h")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def in_words(span: timedelta) -> str:
    """A time span as it is written in a settings file: `timedelta(seconds=90)` is `90s`."""
    seconds = span.total_seconds()
    unit = next(unit for unit in ("h", "m", "s", "ms") if seconds % _UNITS[unit] == 0 or unit == "ms")
    return f"{seconds / _UNITS[unit]:g}{unit}"


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return span


def url(value: str) -> str:
    """An http or https address with a host, without credentials, query or fragment; a slash at its end is dropped."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://bridge.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password")
    if "?" in value or "#" in value:
        raise ValueError("must not contain a query or fragment: paths are put behind it")
    return value.rstrip("/")


def public_url(value: str) -> str:
    """An address that others send secrets to: https, unless it is this very computer."""
    parts = urlsplit(url(value))
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("must be https: secrets and ids travel to it")
    return url(value)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def commas(value: Any) -> Any:
    """A list may be written as text with commas, as environment variables must."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def hard_to_guess(value: SecretStr) -> SecretStr:
    """A secret that is long enough to be one."""
    if len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"must have {SHORTEST_SECRET} characters or more")
    return value


def _fit_for_a_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text and text.isascii() and text.isprintable()):
        raise ValueError("must be printable ASCII text and not empty")
    return value


def _fernet(value: SecretStr) -> SecretStr:
    """32 bytes in URL-safe base 64."""
    try:
        Fernet(value.get_secret_value())
    except ValueError:
        raise ValueError("must be 32 random bytes in URL-safe base 64: openssl rand -base64 32 | tr +/ -_") from None
    return value


Duration = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_positive)]
Email = Annotated[str, StringConstraints(pattern=r"^[!-~]+@[!-~]+$")]
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+$")]
Url = Annotated[str, AfterValidator(url)]
PublicUrl = Annotated[str, AfterValidator(public_url)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(commas)]
ActionPatterns = Annotated[Patterns, AfterValidator(checked)]
Names = Annotated[tuple[str, ...], BeforeValidator(commas)]
Classes = Annotated[tuple[Literal["interaction", "enrichment"], ...], BeforeValidator(commas)]
Secret = Annotated[SecretStr, AfterValidator(hard_to_guess)]
"""Text that strangers must not guess; an empty one would let in whoever sends none."""
Credential = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]
"""Text that Copper is shown in a header of every call."""
FernetKey = Annotated[SecretStr, AfterValidator(_fernet)]
"""A key that seals (AES-128-CBC and HMAC-SHA-256)."""
Secrets = Annotated[tuple[Secret, ...], BeforeValidator(commas)]
Servers = Annotated[str, StringConstraints(pattern=r"^\s*[^\s,:]+:\d+(\s*,\s*[^\s,:]+:\d+)*\s*$")]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
