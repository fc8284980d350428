"""From sightings to drafted records: the step that polls, notices and commands share.

Runs inside a ledger transaction, so a verdict is made on what is known at that very moment, drafts included, and two
flows that see the same version cannot both publish it. Knows the memory and the contract, no I/O of its own.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import orjson

from bridge.contract.announcements import Announcement
from bridge.contract.events import Change, ChangeClass, Fate, content_hash, event_id, records_of, state_key
from bridge.contract.topics import TopicNames
from bridge.policy.changes import Known, Reason, Sighting, Verdict, judge, judge_absence, snapshot_row
from bridge.policy.fields import FieldPolicy, one_version
from bridge.policy.sightings import Record, Via
from bridge.shard.cursors import cursor_record, fields_key
from bridge.shard.hindsight import settle_later
from bridge.shard.memory import Memory
from bridge.shard.ports import Draft


@dataclass(frozen=True, slots=True)
class Publishing:
    """Judges what was seen and drafts the events. `clock` gives Unix seconds; `observe` gets every verdict."""

    memory: Memory
    names: TopicNames
    shard: int
    clock: Callable[[], float]
    observe: Callable[[str, Via, Verdict], None]
    dropped: Collection[ChangeClass] = ()
    """Updates of these classes change what is known and `.state`, and are no event."""
    fields: Mapping[str, FieldPolicy] = field(default_factory=dict)
    """Entity to what of its records may leave Copper; nothing for one without a policy."""
    announced: Callable[[Announcement], None] = lambda _told: None
    """Is told what operators are told here."""

    def known(self, account: str, entity: str, record_id: int, digest: str | None = None) -> Known | None:
        """What a writer inside a transaction knows of a record, as far as it may be shown now.

        It may have been stored under another policy: only like compared with like tells a change. What has the content
        hash `digest` needs no comparing.
        """
        kept = self.memory.drafted.record(entity, state_key(account, record_id).decode())
        if kept is None:
            return None
        same = digest is not None and digest.startswith(kept.hash)
        if kept.value is not None and entity in self.fields and not same:
            record = self.shown(entity, orjson.loads(kept.value))
            return Known(kept.modified, content_hash(record), kept.at, orjson.dumps(record))
        return Known(kept.modified, kept.hash, kept.at, kept.value)

    def shown(self, entity: str, record: Record) -> Record:
        """What of a record may leave Copper."""
        policy = self.fields.get(entity)
        return record if policy is None else policy.apply(record)

    def sight(self, draft: Draft, sighting: Sighting, followed_since: int, *, again: bool = False) -> Verdict:
        """Judge a record that was seen; draft its events if it is a change.

        With `again` the very version that is known is drafted once more, as a snapshot row.
        """
        digest, whole = None, sighting
        if sighting.entity in self.fields:
            sighting = replace(sighting, record=self.shown(sighting.entity, sighting.record))
            digest = content_hash(sighting.record)
        known = self.known(sighting.account, sighting.entity, sighting.record["id"], digest)
        verdict = judge(known, sighting, followed_since=followed_since)
        if known is not None and self._differs_by_policy(draft, known, sighting, verdict):
            verdict = Reason.UNCHANGED
        if again and verdict is Reason.UNCHANGED:
            verdict = snapshot_row(sighting)
        verdict = self._draft(draft, sighting.entity, sighting.via, verdict)
        if known is None and isinstance(verdict, Change) and sighting.causation_id is None:
            view, now = self.memory.drafted, self.clock()
            told = settle_later(draft, view, self.names, self.shard, whole, event_id(verdict), now)
            if told is not None:
                self.announced(told)
        return verdict

    def miss(
        self,
        draft: Draft,
        account: str,
        entity: str,
        record_id: int,
        via: Via,
        *,
        happened_s: float,
        announced: bool,
        fate: Fate | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Verdict:
        """Judge that Copper has no such record; a delete if it was known, or `announced` as deleted."""
        known = self.known(account, entity, record_id)
        if known is None and not announced:
            return Reason.TOMBSTONED
        verdict = judge_absence(
            known,
            account=account,
            entity=entity,
            record_id=record_id,
            via=via,
            happened_s=happened_s,
            fate=fate,
            causation_id=causation_id,
            traceparent=traceparent,
        )
        return self._draft(draft, entity, via, verdict)

    def _differs_by_policy(self, draft: Draft, known: Known, sighting: Sighting, verdict: Verdict) -> bool:
        """Whether this is the version that is known, and looks otherwise only for a policy that has changed since."""
        differs = verdict is Reason.DOUBTFUL or isinstance(verdict, Change)
        if not differs or known.modified != sighting.record["date_modified"]:
            return False
        earlier = known.seen_s < self._ruled_since(draft, sighting.entity)
        return earlier and known.record is not None and one_version(known.record, sighting.record)

    def _ruled_since(self, draft: Draft, entity: str) -> float:
        """Since when, Unix seconds, the present policy holds: what was learned before was stored under another one."""
        policy, key = self.fields.get(entity), fields_key(entity)
        mark = "" if policy is None else policy.mark
        kept = self.memory.drafted.cursor(key) or {"policy": "", "since": 0}
        if kept["policy"] != mark:
            kept = {"policy": mark, "since": int(self.clock())}
            draft.add(cursor_record(self.names, self.shard, key, kept))
        return float(kept["since"])

    def _draft(self, draft: Draft, entity: str, via: Via, verdict: Verdict) -> Verdict:
        if isinstance(verdict, Change):
            if entity in self.fields:
                self._ruled_since(draft, entity)
            records = records_of(verdict, self.names, self.shard, round(self.clock() * 1000))
            # The first has the event's value and headers, which none of the others exceeds
            if not records[0].fits():
                verdict = Reason.TOO_LARGE
            elif verdict.change_class in self.dropped:
                draft.add(records[-1])
                verdict = Reason.DROPPED
            else:
                for record in records:
                    draft.add(record)
        self.observe(entity, via, verdict)
        return verdict
