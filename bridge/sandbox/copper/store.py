"""The truth about one account: records, versions, links, effects, and the indexes that lag behind.

Written through `put` and `remove` only, by `writing`, `special` and `activities`. Time is asked of the clock given;
randomness of the generator given.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from bridge.sandbox.copper.entities import ACTIVITY, ENTITIES, Record
from bridge.sandbox.copper.index import Index
from bridge.sandbox.copper.knobs import Knobs
from bridge.sandbox.copper.reference_data import ReferenceData

FIRST_ID = 10_000_001
"""Ids count from here for every entity of every account: a lead and a person share a number, as at Copper."""
Ref = tuple[str, int]
"""Entity and id."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that became true of a record. `version` counts the record's versions from 1.

    `kind` is create, update, delete, or touch (a new `date_modified` without a change of content); `by` is api, people
    or copper; `body` is what was asked for, `changed` maps each field that differs to its old and new value.
    """

    number: int
    kind: str
    entity: str
    id: int
    version: int
    at: float
    by: str
    body: Mapping[str, Any]
    changed: Mapping[str, tuple[Any, Any]]
    record: Record | None


class Store:
    """Records of one account. `listener` hears of every effect, after it is true."""

    def __init__(self, knobs: Knobs, reference: ReferenceData, clock: Callable[[], float], random: Random) -> None:
        self.knobs = knobs
        self.reference = reference
        self.clock = clock
        self.random = random
        self.listener: Callable[[Effect], None] = lambda _: None
        self.effects: list[Effect] = []
        self.truth: dict[str, dict[int, Record]] = {name: {} for name in (*ENTITIES, ACTIVITY)}
        self.indexes = {name: Index() for name in ENTITIES}
        self.links: dict[Ref, set[Ref]] = {}
        self.unique: dict[tuple[str, str], int] = {}
        self.hidden: set[Ref] = set()
        """What the API's user may not see, by team permissions: neither by id nor in search, and without a word."""
        self.enrichments: list[tuple[float, Ref]] = []
        """What Copper will add to fresh records, and when; a heap."""
        self._versions: dict[Ref, int] = {}
        self._next = dict.fromkeys(self.truth, FIRST_ID)

    def next_id(self, entity: str) -> int:
        """A new id of that entity."""
        self._next[entity] += 1
        return self._next[entity] - 1

    def put(self, kind: str, entity: str, record: Record, *, body: Mapping[str, Any], by: str) -> Record:
        """Make a version of a record true; it shows in search later."""
        before = self.truth[entity].get(record["id"])
        self.truth[entity][record["id"]] = record
        self._keep_unique(entity, before, record)
        self._index(entity, record["id"], record, self._lag(self.knobs.index_lag))
        self._effect(
            kind, entity, record["id"], body=body, by=by, changed=differences(before or {}, record), record=record
        )
        return record

    def remove(self, entity: str, record_id: int, *, by: str) -> None:
        """Delete a record for good; search goes on showing it for a while."""
        before = self.truth[entity].pop(record_id)
        self._keep_unique(entity, before, {})
        lag = self.knobs.index_lag if self.knobs.delete_lag is None else self.knobs.delete_lag
        self._index(entity, record_id, None, self._lag(lag))
        self._effect("delete", entity, record_id, body={}, by=by, changed={}, record=None)

    def load(self, entity: str, records: Iterable[Record]) -> None:
        """Make many records true that always were: in search at once, no effects, nothing notified."""
        records = list(records)
        for record in records:
            self.truth[entity][record["id"]] = record
            self._versions[entity, record["id"]] = 1
            self._keep_unique(entity, None, record)
        self._next[entity] = max(self._next[entity], *(record["id"] + 1 for record in records))
        self.indexes[entity].load(records)

    def visible(self, entity: str) -> Index:
        """The index of an entity as search sees it now."""
        index = self.indexes[entity]
        index.catch_up(self.clock())
        return index

    def taken(self, entity: str, value: str) -> int | None:
        """Who holds a unique e-mail address or domain."""
        return self.unique.get((entity, value.lower()))

    def _lag(self, most: float) -> float:
        if self.random.random() < self.knobs.late_probability:
            return self.knobs.late_lag
        return self.random.uniform(0, most)

    def _index(self, entity: str, record_id: int, record: Record | None, lag: float) -> None:
        if entity in self.indexes:
            self.indexes[entity].write(record_id, record, at=self.clock() + lag)

    def _keep_unique(self, entity: str, before: Record | None, after: Record) -> None:
        for value in unique_values(entity, before or {}):
            self.unique.pop((entity, value), None)
        for value in unique_values(entity, after):
            self.unique[entity, value] = after["id"]

    def _effect(
        self,
        kind: str,
        entity: str,
        record_id: int,
        *,
        body: Mapping[str, Any],
        by: str,
        changed: Mapping[str, tuple[Any, Any]],
        record: Record | None,
    ) -> None:
        version = self._versions.get((entity, record_id), 0) + 1
        self._versions[entity, record_id] = version
        number = len(self.effects) + 1
        effect = Effect(number, kind, entity, record_id, version, self.clock(), by, body, changed, record)
        self.effects.append(effect)
        self.listener(effect)


def unique_values(entity: str, record: Mapping[str, Any]) -> list[str]:
    """Values that no other record of the kind may have, lower-cased: a person's e-mails, a company's domain."""
    if entity == "person":
        return [entry["email"].lower() for entry in record.get("emails") or () if entry.get("email")]
    if entity == "company" and record.get("email_domain"):
        return [record["email_domain"].lower()]
    return []


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, stamps of the record itself left out; none when there was nothing before."""
    if not before:
        return {}
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if name != "date_modified" and before.get(name) != value
    }
