"""Checks of one Copper account: the credentials, what their user may see, what is left of Copper's limits, the clocks.

Called by `bridge.app.checking` with what `bridge.copper.examining` has found. Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bridge.policy.checks import Line, Part, fine, warning, wrong
from bridge.policy.matching import Named
from bridge.policy.sightings import Page, Record, Trouble, Why
from bridge.policy.subscribing import MOST, Plan

SKEW_SECONDS = 5.0
"""Deadlines of commands are judged by this machine's clock, so it has to be right to about that."""
PAGE = 200
NUMBER = "Float"
"""What Copper calls the type of a Number field."""

_FIXES = MappingProxyType(
    {
        Why.UNAUTHORIZED: "set {credential} to a key that is valid, and user_email to the user who made it",
        Why.FORBIDDEN: "give the key's user the rights to read the account",
        Why.RATE_LIMITED: "others use up the account's 180 calls a minute: lower copper.requests_per_minute, or theirs",
        Why.NOT_SENT: "let this machine reach copper.base_url: DNS, firewall, proxy, TLS",
        Why.INVALID: "set copper.base_url to the address of Copper's API",
        Why.NOT_FOUND: "set copper.base_url to the address of Copper's API",
    }
)
_ELSE = "look at Copper's status page, and try again"


@dataclass(frozen=True, slots=True)
class Examined:
    """What Copper answered. After an account that is refused nothing more is asked."""

    account: Record | Trouble
    ahead: float | None = None
    """Seconds that Copper's clock is ahead of ours; its stamps are cut to whole seconds."""
    entities: Mapping[str, Page | Trouble] = field(default_factory=dict)
    custom_fields: Sequence[Named] | Trouble = ()
    subscriptions: Plan | Trouble | None = None
    """What would be done about them; None without a public address."""


def account(
    name: str, found: Examined, *, per_minute: int, credential: str, key_fields: Mapping[str, int]
) -> Iterator[Line]:
    """All about an account but the clock. `credential` is the variable of its key or token."""
    if isinstance(found.account, Trouble):
        yield _trouble(f"{name}", found.account, credential)
        return
    yield fine(Part.COPPER, f'{name}: signed in at "{found.account.get("name")}", {per_minute} of 180 calls a minute')
    yield from _permissions(name, found.account)
    yield from _entities(name, found.entities, per_minute, credential)
    yield from _key_fields(name, key_fields, found.custom_fields, credential)
    yield from _subscriptions(name, found.subscriptions, credential)


def clock(ahead: float) -> Line:
    """Whether this machine's clock is Copper's. Copper's is read from whole seconds: half of one is the best guess."""
    skew = -(ahead + 0.5)
    if abs(skew) <= SKEW_SECONDS:
        return fine(Part.CLOCK, "this machine's clock is Copper's, to a second or so")
    how = "ahead of" if skew > 0 else "behind"
    what = f"this machine's clock is {abs(skew):.0f} s {how} Copper's: deadlines of commands are misjudged by as much"
    return wrong(Part.CLOCK, what, "synchronize the clock (NTP)")


def _trouble(what: str, trouble: Trouble, credential: str) -> Line:
    fix = _FIXES.get(trouble.why, _ELSE).format(credential=credential)
    status = f" ({trouble.status})" if trouble.status else ""
    return wrong(Part.COPPER, f"{what}: {trouble.why}{status}: {trouble.detail}", fix)


def _permissions(name: str, found: Record) -> Iterator[Line]:
    settings = found.get("settings")
    if isinstance(settings, Mapping) and settings.get("setting_team_permissions_enabled") is True:
        what = (
            f"{name}: permissions by team are on; records that this user's teams do not see do not exist for the bridge"
        )
        yield warning(Part.COPPER, what, "use the key of a user who sees everything")


def _entities(name: str, found: Mapping[str, Page | Trouble], per_minute: int, credential: str) -> Iterator[Line]:
    for entity, answer in found.items():
        if not isinstance(answer, Trouble):
            continue
        if answer.why is Why.FEATURE_DISABLED:
            fix = f"set events.{entity}.enabled to false, unless another account has it"
            yield warning(Part.COPPER, f"{name}: {entity} is switched off in this account", fix)
        else:
            yield _trouble(f"{name}: {entity} cannot be read", answer, credential)
    pages = {entity: answer for entity, answer in found.items() if isinstance(answer, Page)}
    if pages:
        records = sum(page.total or 0 for page in pages.values())
        calls = sum(math.ceil((page.total or 0) / PAGE) + 1 for page in pages.values())
        minutes = math.ceil(calls / per_minute)
        what = f"{records} records can be read, a first snapshot takes {calls} calls and {minutes} min or more"
        yield fine(Part.COPPER, f"{name}: {what}")


def _key_fields(
    name: str, wanted: Mapping[str, int], found: Sequence[Named] | Trouble, credential: str
) -> Iterator[Line]:
    if isinstance(found, Trouble):
        yield _trouble(f"{name}: custom fields cannot be read", found, credential)
        return
    there = {each.id: each for each in found}
    for entity, number in wanted.items():
        field = there.get(number)
        if field is None or field.data_type != NUMBER or entity not in field.entities:
            what = f"{name}: key_fields.{entity}: {number} is no Number custom field of {entity}"
            yield wrong(Part.COPPER, what, "take the id of one that GET /custom_field_definitions lists, or make one")


def _subscriptions(name: str, found: Plan | Trouble | None, credential: str) -> Iterator[Line]:
    if isinstance(found, Trouble):
        yield _trouble(f"{name}: webhook subscriptions cannot be listed", found, credential)
    elif found is not None and found.refused:
        what = f"{name}: {len(found.refused)} webhook subscriptions are too many: of {MOST} others have {found.foreign}"
        yield wrong(Part.COPPER, what, "delete some of the others at Copper, or set events.<entity>.enabled to false")
    elif found is not None:
        ours = len(found.keep) + len(found.create)
        what = f"{len(found.keep)} of {ours} webhook subscriptions are there, {found.foreign} of others, {MOST} may be"
        yield fine(Part.COPPER, f"{name}: {what}")
