"""Settling: what to make of a call that may have been carried out, given what Copper shows afterwards.

Called by `shard.settling` when an attempt has no result: the call timed out, was cut off, or the process died. Per
action a pure decision on what a look shows; how to look is decided here too. The look must wait until the call can no
longer take effect, and, where it goes through the search index, until the index shows it. Never a second create while
the first may still land. What rests on an assumption says so: docs/explanation/delivery.md.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from bridge.policy.sameness import exactly, fields_equal
from bridge.policy.sightings import Record

HELD_SECONDS = 2.0
"""From the beginning of an attempt's commit to the first byte of its request at most. Whoever was held up longer, by a
slow Kafka or because the process was paused, may have lost the shard meanwhile and does not send."""
SKEW_SECONDS = 5
"""How far Copper's whole-second stamps may lie before the time that its Date headers told of."""
FILLED_SECONDS = 10
"""Copper itself completes a record up to so long after its creation (reference: copper-api.md §7.2); what is changed
later was changed by somebody."""
LATEST_SECONDS = 600
"""After the answer `unknown` a record without a key is no longer taken for the one that was asked for."""
KEY_BITS = 53
"""Of a key: every JSON reader keeps whole numbers up to there exactly."""
NAMED = 10
"""Candidates that an undecided verdict names at most."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long effects may take to show, in seconds.

    `timeout`: a call is given up. `lateness`: after that Copper may still carry it out. `index_lag`: until search shows
    it.
    """

    timeout: float
    lateness: float
    index_lag: float

    def before(self, look: "Look") -> float:
        """Seconds from the moment a call was sent, or its sender was fenced, until a look tells the truth."""
        held = HELD_SECONDS + self.timeout + self.lateness
        return held if look is Look.GET else held + self.index_lag


class Look(Enum):
    """How to find out."""

    GET = "get"
    """The record by its id: never behind."""
    MATCH = "match"
    """What an upsert's match finds."""
    CONVERTED = "converted"
    """The lead by its id and, when it is gone, among the converted ones."""
    KEY = "key"
    """The record that carries the command's key in a Number field."""
    TWIN = "twin"
    """The record that has the e-mail address or domain which Copper keeps unique."""
    CREATED = "created"
    """All records that were created since."""


@dataclass(frozen=True, slots=True)
class Key:
    """A command's mark on the record it creates: the Number field by its definition's id, and the value."""

    definition_id: int
    number: int

    @property
    def custom_field(self) -> dict[str, Any]:
        """The mark as a custom field of the record."""
        return {"custom_field_definition_id": self.definition_id, "value": self.number}

    def marks(self, record: Record) -> bool:
        """Whether the record carries it."""
        return fields_equal({"custom_fields": [self.custom_field]}, record)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A call in doubt: what was asked, and what is known of the moment it was made.

    `since` is when the first attempt was made, Unix seconds by Copper's clock. `as_known` are ids of records that look
    now as they were known to look before that.
    """

    entity: str
    action: str
    sent: Mapping[str, Any]
    since: float
    key: Key | None = None
    as_known: Collection[int] = ()

    def untouched(self, record: Record) -> bool:
        """Whether nothing has changed the record since: Copper's stamp says so, or it is just as it was."""
        return record["date_modified"] < self.since - SKEW_SECONDS or record["id"] in self.as_known

    def recent(self, record: Record) -> bool:
        """Whether the record may have been created by the call, as far as its stamp tells."""
        return bool(record["date_created"] >= self.since - SKEW_SECONDS)


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out. `record` as it is now; None when it is gone, as asked."""

    record: Record | None


@dataclass(frozen=True, slots=True)
class SendAgain:
    """It was not carried out, or doing it again does no harm."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """It cannot be settled. `detail` tells the caller what to look for."""

    detail: str


Verdict = Done | SendAgain | Undecided
Found = Sequence[Record]

UNIQUE: Mapping[str, str] = MappingProxyType({"person": "emails", "company": "email_domain"})
"""Entity to the field whose values Copper keeps unique: creating a twin fails (reference: copper-api.md §8.1, §8.2)."""


def key_of(account: str, entity: str, command_id: str, definition_id: int) -> Key:
    """The key of a command: the same for every attempt, and for no other command but by a chance of 1 in 2^53."""
    digest = hashlib.sha256(f"{account}/{entity}/{command_id}".encode()).digest()
    return Key(definition_id, int.from_bytes(digest[:8], "big") >> (64 - KEY_BITS))


def look_for(doubt: Doubt) -> Look:
    """How to find out about an action with an effect."""
    if doubt.action != "create":
        return _LOOKS[doubt.action]
    if doubt.key is not None:
        return Look.KEY
    return Look.TWIN if doubt.sent.get(UNIQUE.get(doubt.entity, "")) else Look.CREATED


def settle(doubt: Doubt, found: Found) -> Verdict:
    """Decide. `found` is what the look showed, without what other commands are known to have created."""
    return _VERDICTS[look_for(doubt)](doubt, found)


def recognizes(doubt: Doubt, record: Record, answered_s: float) -> bool:
    """Whether a record that turns up later is the one of a create that was answered `unknown`, then (Unix seconds)."""
    if doubt.key is not None:
        return doubt.key.marks(record)
    in_time = doubt.recent(record) and record["date_created"] <= answered_s + LATEST_SECONDS
    return in_time and exactly(doubt.sent, record)


def _after_get(doubt: Doubt, found: Found) -> Verdict:
    if doubt.action == "delete":
        return SendAgain() if found else Done(None)
    if not found:
        return Undecided("the record is gone: whether the update came first cannot be told")
    return _changed(doubt, found[0])


def _changed(doubt: Doubt, record: Record) -> Verdict:
    """Whether an update has come about: idempotent, so what is provably as it was may be written again."""
    if fields_equal(doubt.sent, record):
        return Done(record)
    if doubt.untouched(record):
        return SendAgain()
    return Undecided(
        f"somebody else has changed record {record['id']} since: compare its fields with what was to be written"
    )


def _matched(doubt: Doubt, found: Found) -> Verdict:
    """An upsert writes the one record that matches; it may be written again as long as nobody else has written it."""
    if len(found) == 1:
        return _changed(doubt, found[0])
    if all(map(doubt.untouched, found)):
        return SendAgain()
    return _several("match now, and some have been changed since", found)


def _converted(doubt: Doubt, found: Found) -> Verdict:
    """`found` is the lead; once converted, as a record of the parts it has become, under their names."""
    if not found:
        return Undecided("the lead is gone: look for the person, company and opportunity it may have become")
    became = found[0]
    if "id" in became:
        return SendAgain()
    if all(_as_asked(asked, became.get(entity)) for entity, asked in doubt.sent.items()):
        return Done(became)
    return Undecided("the lead was converted, but not as asked: compare what it has become with what was asked")


def _as_asked(asked: Any, part: Record | None) -> bool:
    name = asked.get("name") if isinstance(asked, Mapping) else None
    return not name or (part is not None and fields_equal({"name": name}, part))


def _keyed(_doubt: Doubt, found: Found) -> Verdict:
    if len(found) > 1:
        return _several("carry this command's key", found)
    return Done(found[0]) if found else SendAgain()


def _twin(doubt: Doubt, found: Found) -> Verdict:
    """Copper lets no twin come into being, so asking again can do no harm: it is done, or refused as a conflict."""
    recent = [record for record in found if doubt.recent(record)]
    if not recent:
        return SendAgain()
    same = [record for record in recent if fields_equal(doubt.sent, record)]
    if len(recent) == len(same) == 1:
        return Done(same[0])
    return _several("with this unique address were created meanwhile, and are not just as asked", recent)


def _created(doubt: Doubt, found: Found) -> Verdict:
    """One that is exactly as asked is ours; none at all is proof that nothing was created; the rest is not known."""
    recent = [record for record in found if doubt.recent(record)]
    same = [record for record in recent if fields_equal(doubt.sent, record)]
    if len(same) == 1 and exactly(doubt.sent, same[0]):
        return Done(same[0])
    if same:
        return _several("were created meanwhile and have the values asked for", same)
    changed = [each for each in recent if each["date_modified"] > each["date_created"] + FILLED_SECONDS]
    if changed:
        return _several("were created and then changed meanwhile, so one may have been as asked", changed)
    return SendAgain()


def _several(what: str, found: Found) -> Undecided:
    ids = ", ".join(str(record["id"]) for record in found[:NAMED]) + (", …" if len(found) > NAMED else "")
    return Undecided(f"records {ids} {what}: look at them before asking again")


_LOOKS: Mapping[str, Look] = MappingProxyType(
    {"delete": Look.GET, "update": Look.GET, "upsert": Look.MATCH, "convert": Look.CONVERTED}
)
_VERDICTS: Mapping[Look, Callable[[Doubt, Found], Verdict]] = MappingProxyType(
    {
        Look.GET: _after_get,
        Look.MATCH: _matched,
        Look.CONVERTED: _converted,
        Look.KEY: _keyed,
        Look.TWIN: _twin,
        Look.CREATED: _created,
    }
)
