"""Failure codes of the contract and the RFC 9457 value that carries one. A code is never renamed or reused."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The codes of contract.md §5; header `copper-bridge-error` and `error.type` of a reply."""

    MALFORMED = "malformed"
    UNKNOWN_ACTION = "unknown-action"
    UNKNOWN_ACCOUNT = "unknown-account"
    INVALID = "invalid"
    ID_REUSED = "id-reused"
    REPLY_REFUSED = "reply-refused"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    EXPECTATION_FAILED = "expectation-failed"
    FORBIDDEN = "forbidden"
    FEATURE_DISABLED = "feature-disabled"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate-limited"
    UNAVAILABLE = "unavailable"
    WOULD_EXPIRE = "would-expire"
    TOO_LARGE = "too-large"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command did not succeed, for the caller: RFC 9457's members and three of ours."""

    code: Code
    title: str
    detail: str
    fields: Mapping[str, tuple[str, ...]] | None = None
    """Field of the request, as a dotted path, to the reasons it is refused: all of them at once."""
    http_status: int | None = None
    retryable: bool = False
