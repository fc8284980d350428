"""Whether a record that was seen is a change, and which: the only place where that is decided.

Called by the shard inside its transaction, with what it knows at that moment; polls, webhook checks, sweeps, snapshots
and answers to our own commands all come through here. Knows no clock and no Kafka.

Versions of one record are ordered by `date_modified`, whole seconds, and told apart by their content. Two edits within
one second cannot be ordered by stamps, and Copper's search may still show the first when the second is known; then the
verdict is `Reason.DOUBTFUL` and the record has to be read by its id, which Copper answers without lag.
"""

from dataclasses import dataclass
from enum import StrEnum

import orjson

from bridge.contract.events import Change, Fate, Kind, changed_fields, content_hash
from bridge.policy.classes import classify
from bridge.policy.sightings import Record, Via


class Reason(StrEnum):
    """Why a sighting is no event."""

    UNCHANGED = "unchanged"
    ONLY_STAMP = "only-stamp"
    """Nothing but `date_modified` differs: an interaction was logged, a task was added, and the like."""
    STALE = "stale"
    """Older than what is known: the search index has not caught up."""
    TOMBSTONED = "tombstoned"
    """It was deleted; ids are never used again, so a lagging index shows a ghost."""
    DROPPED = "dropped"
    """An update of a class that is not wanted; it is known and in `.state`."""
    TOO_LARGE = "too-large"
    """Its events would be larger than a Kafka record may be; it is counted and logged, and passed over."""
    DOUBTFUL = "doubtful"
    """It cannot be ordered against what is known: read the record by its id and judge that."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a record: as last seen, or that it was deleted.

    Most records that a scan shows are unchanged, which stamp and hash tell; so the record itself is decoded only when
    it is asked for.
    """

    modified: int
    """Its `date_modified`, Unix seconds."""
    content_hash: str
    """Its `content_hash`, whole or the first digits."""
    seen_s: float
    """When that was learned, Unix seconds by the bridge's clock."""
    value: bytes | None
    """The record as JSON; None when it was deleted."""

    @property
    def record(self) -> Record | None:
        """The record as last seen, None when it was deleted."""
        return None if self.value is None else orjson.loads(self.value)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record as it was seen.

    `authoritative`: read by its id or answered to a write, not found through the lagging search index. `asked_s` is
    when the question was put, Unix seconds by the bridge's clock.
    """

    account: str
    entity: str
    record: Record
    via: Via
    authoritative: bool
    asked_s: float
    causation_id: str | None = None
    traceparent: str | None = None


Verdict = Change | Reason


def judge(known: Known | None, sighting: Sighting, *, followed_since: int) -> Verdict:
    """Decide what a sighting means, given what is known of its record.

    A record never seen before was created if its `date_created` is not before `followed_since` (Unix seconds, the
    overlap already taken off), else it is a snapshot row, whichever way it was seen.
    """
    digest = content_hash(sighting.record)
    if known is None:
        fresh = sighting.record["date_created"] >= followed_since
        return _change(Kind.CREATED if fresh else Kind.SNAPSHOT, sighting, digest)
    if known.value is None:
        return Reason.TOMBSTONED
    step = sighting.record["date_modified"] - known.modified
    if step < 0:
        return Reason.STALE
    if digest.startswith(known.content_hash):
        return Reason.ONLY_STAMP if step else Reason.UNCHANGED
    if step == 0 and not (sighting.authoritative and sighting.asked_s >= known.seen_s):
        return Reason.DOUBTFUL
    return _change(Kind.UPDATED, sighting, digest, before=known.record)


def judge_absence(
    known: Known | None,
    *,
    account: str,
    entity: str,
    record_id: int,
    via: Via,
    happened_s: float,
    fate: Fate | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
) -> Verdict:
    """Decide what it means that Copper has confirmed a record to be gone: a delete, once.

    `happened_s` is when it was announced or found out, Unix seconds; `fate` what became of it, if that is known.
    """
    before: Record | None = {"id": record_id} if known is None else known.record
    if before is None:
        return Reason.TOMBSTONED
    return Change(
        kind=Kind.DELETED,
        account=account,
        entity=entity,
        record_id=record_id,
        before=before,
        after=None,
        changed=(),
        via=via,
        date_modified=before.get("date_modified", 0),
        content_hash=content_hash(before),
        happened_s=happened_s,
        seen=known is not None,
        fate=fate,
        causation_id=causation_id,
        traceparent=traceparent,
    )


def snapshot_row(sighting: Sighting) -> Change:
    """A record that is known as it is, told once more."""
    return _change(Kind.SNAPSHOT, sighting, content_hash(sighting.record))


def _change(kind: Kind, sighting: Sighting, digest: str, before: Record | None = None) -> Change:
    modified: int = sighting.record["date_modified"]
    changed = () if before is None else changed_fields(before, sighting.record)
    return Change(
        kind=kind,
        account=sighting.account,
        entity=sighting.entity,
        record_id=sighting.record["id"],
        before=before,
        after=sighting.record,
        changed=changed,
        via=sighting.via,
        date_modified=modified,
        content_hash=digest,
        happened_s=modified,
        change_class=None if before is None else classify(sighting.entity, before, sighting.record, changed),
        causation_id=sighting.causation_id,
        traceparent=sighting.traceparent,
    )
