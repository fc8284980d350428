"""From sightings to drafted records: the step that polls, notices and commands share.

Runs inside a ledger transaction, so a verdict is made on what is known at that very moment, drafts included, and two
flows that see the same version cannot both publish it. Knows the memory and the contract, no I/O of its own.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import orjson

from bridge.contract.events import Change, ChangeClass, Fate, content_hash, records_of, state_key
from bridge.contract.topics import TopicNames
from bridge.policy.changes import Known, Reason, Sighting, Verdict, judge, judge_absence, snapshot_row
from bridge.policy.fields import FieldPolicy
from bridge.policy.sightings import Record, Via
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

    def known(self, account: str, entity: str, record_id: int) -> Known | None:
        """What a writer inside a transaction knows of a record, as far as it may be shown now.

        It may have been stored under another policy: only like compared with like tells a change.
        """
        kept = self.memory.drafted.record(entity, state_key(account, record_id).decode())
        if kept is None:
            return None
        if kept.value is not None and entity in self.fields:
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
        known = self.known(sighting.account, sighting.entity, sighting.record["id"])
        if sighting.entity in self.fields:
            sighting = replace(sighting, record=self.shown(sighting.entity, sighting.record))
        verdict = judge(known, sighting, followed_since=followed_since)
        if again and verdict is Reason.UNCHANGED:
            verdict = snapshot_row(sighting)
        return self._draft(draft, sighting.entity, sighting.via, verdict)

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
        )
        return self._draft(draft, entity, via, verdict)

    def _draft(self, draft: Draft, entity: str, via: Via, verdict: Verdict) -> Verdict:
        if isinstance(verdict, Change):
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
