"""Evidence: what is known of each command when all is over, gathered into cases for the judge. Pure.

From Kafka: where its records lay, the replies, the dead letters, its attempts in the journal. From the double: its
calls and effects, and every version of every record. From the trial: when processes and sessions ended.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bridge.contract.records import Incoming, Position
from bridge.sandbox.copper import Account, Effect
from bridge.sandbox.copper.limits import Call
from tests.faults.commands.judging import Case, Said
from tests.faults.commands.orders import Order
from tests.faults.commands.weather import Cause, cause_of_order

CONCLUDED_S = 3.0
"""Within which an answer of Copper's is in the journal."""
CALLED_S = 5.0
"""Within which an attempt's call is answered, or given up."""
PATIENCE_S = 1.0
"""Well below the bridge's time-out: what was answered later may have come too late."""
ERRORS = 500


@dataclass(frozen=True)
class Disturbance:
    """From when to when a process or a session was not what it was; `shards` that it worked on."""

    begin: float
    end: float
    shards: Collection[int]


@dataclass
class Evidence:
    """Everything. `records` are what was read of replies, dead letters and the journal."""

    sent: Mapping[Order, Sequence[Position]]
    records: Sequence[Incoming]
    journal: str
    """The journal's topic."""
    accounts: Sequence[Account]
    first: Mapping[tuple[str, str, int], Mapping[str, Any]]
    """(account, entity, id) to records that were there before."""
    calls: Sequence[Call]
    causes: Mapping[int, Cause]
    disturbances: Sequence[Disturbance]
    shards: Mapping[str, int]
    """Of each account."""
    keyed: Collection[tuple[str, str]]
    """Account and entity of creates that carry a key."""
    strange: list[str] = field(default_factory=list)
    """Replies and dead letters that belong to nothing."""

    def cases(self) -> list[Case]:
        """One for each command."""
        replies, letters = self._replies(), self._letters()
        found = [self._case(order, at, replies, letters) for order, at in self.sent.items()]
        known = {at for row in self.sent.values() for at in row}
        self.strange += [str(at) for at in [*replies, *letters] if at not in known]
        return found

    def _case(
        self, order: Order, at: Sequence[Position], replies: Mapping[Position, list[Said]], letters: Counter[Position]
    ) -> Case:
        cause = cause_of_order(order)
        calls = self._calls.get(cause, [])
        mine = {each: replies[each] for each in at if each in replies}
        return Case(
            order,
            at,
            mine,
            effects=self._effects.get(cause, []),
            letters=sum(letters[each] for each in at),
            doubts=sum(_in_doubt(call) for call in calls),
            disturbed=any(self._disturbed(order, begun, calls) for begun in self._attempts(order, at)),
            contested=self._contested(order),
            open=self._open(order),
            trail=self._trail(order, at, calls),
            invented=any(self._invented(order, reply) for row in mine.values() for reply in row),
            landed_s=max((self._landed_s(order, at, call) for call in calls), default=0.0),
        )

    def _replies(self) -> dict[Position, list[Said]]:
        found: dict[Position, list[Said]] = defaultdict(list)
        for record in self.records:
            if record.position.topic.endswith(".replies"):
                reply = json.loads(record.value or b"")
                found[asked(reply)].append(reply)
        return dict(found)

    def _letters(self) -> Counter[Position]:
        headers = [f"__connect.errors.{part}" for part in ("topic", "partition", "offset")]
        rows = (record for record in self.records if record.position.topic.endswith(".commands-dlt"))
        found = ([(record.header(name) or b"").decode() for name in headers] for record in rows)
        return Counter(Position(topic, int(partition), int(offset)) for topic, partition, offset in found)

    @cached_property
    def _effects(self) -> dict[Cause, list[Effect]]:
        found: dict[Cause, list[Effect]] = defaultdict(list)
        for account in self.accounts:
            for effect in account.effects:
                if effect.by == "api" and (what := _whose(effect)) is not None:
                    found[account.name, *what].append(effect)
        return found

    @cached_property
    def _calls(self) -> dict[Cause, list[Call]]:
        found: dict[Cause, list[Call]] = defaultdict(list)
        for call in self.calls:
            if call.number in self.causes:
                found[self.causes[call.number]].append(call)
        return found

    @cached_property
    def _begun(self) -> dict[str, list[float]]:
        """Journal key to the moments of its attempts."""
        found: dict[str, list[float]] = defaultdict(list)
        for record in self.records:
            if record.position.topic == self.journal and record.value:
                entry = json.loads(record.value)
                if entry["state"] == "attempt":
                    found[(record.key or b"").decode()].append(entry["at"])
        return found

    def _attempts(self, order: Order, at: Sequence[Position]) -> list[float]:
        ids = [order.id] if order.id is not None else [str(each) for each in at]
        return [moment for name in ids for moment in self._begun.get(f"{order.account}/{name}", [])]

    @cached_property
    def _journaled(self) -> dict[str, list[tuple[float, str]]]:
        """Journal key to what was written there, and when."""
        found: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for record in self.records:
            if record.position.topic == self.journal:
                entry = json.loads(record.value or b"")
                moment, said = record.timestamp_ms / 1000, f"{entry['state']} {entry['action']}"
                found[(record.key or b"").decode()].append((moment, said))
        return found

    def _entries(self, order: Order, at: Sequence[Position]) -> list[tuple[float, str]]:
        ids = [order.id] if order.id is not None else [str(each) for each in at]
        return [entry for name in ids for entry in self._journaled.get(f"{order.account}/{name}", [])]

    @cached_property
    def _effected(self) -> dict[tuple[str | None, int], float]:
        return {(account.name, effect.number): effect.at for account in self.accounts for effect in account.effects}

    def _landed_s(self, order: Order, at: Sequence[Position], call: Call) -> float:
        """From the journal's entry of the attempt to the last effect of its call; 0 when it has none."""
        effects = [self._effected[call.account, number] for number in call.effects]
        begun = [
            moment for moment, said in self._entries(order, at) if said.startswith("attempt") and moment <= call.at
        ]
        return max(effects) - max(begun) if effects and begun else 0.0

    def _disturbed(self, order: Order, begun: float, calls: Iterable[Call]) -> bool:
        """Whether anything of its shard ended between an attempt and the conclusion of its call."""
        call = next((call for call in calls if begun <= call.at <= begun + CALLED_S), None)
        answered = begun + CALLED_S if call is None or call.answered is None else call.answered
        mine = (each for each in self.disturbances if self.shards[order.account] in each.shards)
        return any(each.begin <= answered + CONCLUDED_S and begun <= each.end for each in mine)

    def _trail(self, order: Order, at: Sequence[Position], calls: Iterable[Call]) -> str:
        """What a failure is explained by."""
        told = [f"{call.at:.2f} {call.fault} {call.status} {call.answered}" for call in calls]
        return f"journal {[f'{moment:.2f} {said}' for moment, said in self._entries(order, at)]}, calls {told}"

    @cached_property
    def _versions(self) -> dict[tuple[str, str, int], list[Mapping[str, Any] | None]]:
        found: dict[tuple[str, str, int], list[Mapping[str, Any] | None]] = defaultdict(list)
        for where, record in self.first.items():
            found[where].append(_content(record))
        for account in self.accounts:
            for effect in account.effects:
                version = None if effect.record is None else _content(effect.record)
                found[account.name, effect.entity, effect.id].append(version)
        return found

    @cached_property
    def _others(self) -> set[tuple[str, str, int]]:
        """Records that somebody else than the API's caller has written to."""
        return {
            (account.name, effect.entity, effect.id)
            for account in self.accounts
            for effect in account.effects
            if effect.by != "api"
        }

    def _contested(self, order: Order) -> bool:
        where = (order.account, order.entity, order.record_id or 0)
        versions = self._versions.get(where, [None])
        return where in self._others or versions[-1] is None

    def _open(self, order: Order) -> bool:
        """Whether Copper may show nothing that tells if a write in doubt came about.

        An update that others may have overwritten; a create without a mark, when something else was made and changed.
        """
        if order.action == "update":
            return self._contested(order)
        if order.action != "create" or (order.account, order.entity) in self.keyed or order.unique:
            return False
        made = (where for where in self._versions if where[:2] == (order.account, order.entity))
        return any(where not in self.first and len(self._versions[where]) > 1 for where in made)

    def _invented(self, order: Order, reply: Said) -> bool:
        record = reply["record"]
        if reply["status"] != "succeeded" or record is None or order.action == "convert":
            return False
        return _content(record) not in self._versions.get((order.account, order.entity, record["id"]), [])


def asked(reply: Said) -> Position:
    """Where the command lay that a reply answers."""
    command = reply["command"]
    return Position(command["topic"], command["partition"], command["offset"])


def _in_doubt(call: Call) -> bool:
    """Whether its caller cannot know what became of it."""
    return call.answered is None or call.answered - call.at > PATIENCE_S or (call.status or 0) >= ERRORS


def _content(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "date_modified": None}


def _whose(effect: Effect) -> tuple[Any, ...] | None:
    """What tells an effect's command, as in `cause_of_order`; None for what a conversion makes beside."""
    if effect.kind == "delete":
        return "delete", effect.entity, effect.id
    if effect.record is not None and effect.record.get("converted_at") is not None:
        return "convert", effect.entity, effect.id
    mark = effect.body.get("details")
    return (mark,) if isinstance(mark, str) else None
