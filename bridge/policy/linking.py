"""Links by which a customer connects an account, and the state that comes back with the consent. Pure.

A link is signed and expires, so that it can be sent by mail; opening it makes a state that is good once, for minutes.
Called by `bridge.app.connecting`; randomness and the time are inputs.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import StrEnum

from bridge.contract.accounts import Pending

CONSENT_SECONDS = 600.0
"""How long a customer may take at Copper's page. Copper documents nothing about how long a code is good."""
_ACCOUNT = re.compile(r"[a-z0-9-]{1,64}")
_DOMAIN = b"copper-bridge-connect-v1"
_STATES = b"copper-bridge-state-v1"


class Refused(StrEnum):
    """Why a link or a consent does not count; the values are stable, for metrics and pages."""

    FORGED = "forged"
    """The link's signature is none of ours."""
    EXPIRED = "expired"
    """The link's time is over."""
    TOO_LATE = "too-late"
    """The customer has thought about it for too long."""
    UNKNOWN_STATE = "unknown-state"
    """Nobody asked for this consent, or it has been given already, or a newer link was opened."""
    DENIED = "denied"
    """The customer, or Copper, said no."""
    WRONG_CODE = "wrong-code"
    """Copper does not take the code: used, expired, or not for this application."""
    COPPER_AWAY = "copper-away"
    """Copper did not answer, or not as documented."""
    KAFKA_AWAY = "kafka-away"
    """Nothing can be kept at present."""


def signature(key: bytes, account: str, expires: int) -> str:
    """Of a link for this account that is good until `expires`, Unix seconds."""
    return hmac.new(key, b"%b:%b:%d" % (_DOMAIN, account.encode(), expires), hashlib.sha256).hexdigest()


def link_refusal(keys: Iterable[bytes], account: str, expires: str, given: str, now: float) -> Refused | None:
    """Why a link is not good; None when it is. Any of the keys may have signed it."""
    if not re.fullmatch(r"[0-9]{1,12}", expires):
        return Refused.FORGED
    wanted = [signature(key, account, int(expires)) for key in keys]
    if not any([hmac.compare_digest(each.encode(), given.encode()) for each in wanted]):  # noqa: C419 - all, always
        return Refused.FORGED
    return Refused.EXPIRED if now > int(expires) else None


def state(key: bytes, account: str, chance: str) -> str:
    """What Copper gives back with the consent; `chance` is hard to guess and never used again.

    Signed, so that a state which we have not made is known without a look at what is kept.
    """
    return f"{account}.{chance}.{_signed(key, account, chance)}"


def pending(account: str, state: str, now: float) -> Pending:
    """What is kept of it."""
    return Pending(account, _digest(state), now + CONSENT_SECONDS)


def account_of(keys: Iterable[bytes], given: str) -> str | None:
    """The account that a state is about; None when it is none of ours."""
    account, _, rest = given.partition(".")
    chance, _, signed = rest.partition(".")
    if not _ACCOUNT.fullmatch(account):
        return None
    wanted = [_signed(key, account, chance) for key in keys]
    good = any([hmac.compare_digest(each.encode(), signed.encode()) for each in wanted])  # noqa: C419 - all, always
    return account if good else None


def consent_refusal(kept: Pending | None, given: str, now: float) -> Refused | None:
    """Why a consent with this state does not count; None when it does."""
    if kept is None or not hmac.compare_digest(kept.digest.encode(), _digest(given).encode()):
        return Refused.UNKNOWN_STATE
    return Refused.TOO_LATE if now > kept.expires else None


def _signed(key: bytes, account: str, chance: str) -> str:
    return hmac.new(key, b"%b:%b:%b" % (_STATES, account.encode(), chance.encode()), hashlib.sha256).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
