"""Judging a run: what was read back from Kafka against what the double knows to be true. Pure.

A `Verdict` gathers sentences about what is wrong, each with the trail of the record or command it is about.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.records import Incoming, Position
from tests.faults.reading import ENTITIES, Log
from tests.faults.traffic import Sent
from tests.faults.truth import Truth, Version

KINDS = {"c": {"created", "upserted"}, "u": {"updated", "upserted"}, "d": {"deleted"}, "r": set[str]()}
"""Topics beside `.changes` that an event of each op lies in."""

SHOWN, SHORT = 3, 700
"""Cases of a kind in a complaint, and characters of each."""


@dataclass
class Verdict:
    """What is wrong, by kind, and what there was."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: Counter[str] = field(default_factory=Counter)

    def faults(self) -> dict[str, int]:
        """Kinds of what is wrong, with how often."""
        return {kind: len(cases) for kind, cases in self._wrong()}

    def complaint(self, seed: int) -> str:
        """What is wrong in one line, with the first cases in short: all that a summary of failures shows."""
        told = [f"{kind}: {len(cases)} - " + " | ".join(map(_short, cases[:SHOWN])) for kind, cases in self._wrong()]
        return f"seed {seed}; " + "; ".join(told)

    def _wrong(self) -> list[tuple[str, list[str]]]:
        return [(kind, cases) for kind, cases in self.wrong.items() if cases]

    def told(self) -> str:
        """Everything, for people."""
        lines = [f"{count} {what}" for what, count in self.figures.items()]
        for kind, cases in self.wrong.items():
            if not cases:
                lines.append(f"{kind}: 0")
                continue
            lines += [f"{kind.upper()}: {len(cases)}", *(f"  {case}" for case in cases[:10])]
        return "\n".join(lines)


def _short(case: str) -> str:
    line = " ".join(case.split())
    return line if len(line) <= SHORT else f"{line[:SHORT]}..."


@dataclass(frozen=True)
class Event:
    """One event of `.changes`."""

    id: str
    op: str
    before: Version
    after: Version
    via: str
    at: Position

    @classmethod
    def of(cls, record: Incoming) -> "Event":
        value = json.loads(record.value or b"")
        ce_id = (record.header("ce_id") or b"").decode()
        return cls(ce_id, value["op"], value["before"], value["after"], value["source"]["via"], record.position)

    def __str__(self) -> str:
        shown = self.after or self.before or {}
        return f"{self.op} {shown.get('details')} @{shown.get('date_modified')} via {self.via} at {self.at} ({self.id})"


def _content(version: Version) -> Version:
    return None if version is None else {**version, "date_modified": None}


def judge_events(verdict: Verdict, log: Log, truths: Sequence[Truth]) -> None:
    """Lost, doubled, disordered, invented; and whether all topics tell the same."""
    ids: Counter[tuple[bytes | None, str]] = Counter()
    for entity in ENTITIES:
        events: dict[str, list[Event]] = defaultdict(list)
        for record in log.of(log.names.changes(entity)):
            event = Event.of(record)
            ids[record.header("ce_source"), event.id] += 1
            events[(record.key or b"").decode()].append(event)
            verdict.figures[f"events {event.op}"] += 1
            verdict.figures[f"events via {event.via}"] += 1
        verdict.wrong["topics at odds"] += _odds(log, entity, events)
        for truth in truths:
            for (kind, record_id), history in truth.histories.items():
                if kind == entity:
                    key, old = f"{truth.account.name}/{record_id}", (kind, record_id) in truth.people.first
                    verdict.figures["records"] += 1
                    verdict.figures["versions"] += len(history)
                    _judge_first(verdict, f"{entity} {key}", events.get(key, []), old=old)
                    _judge_record(verdict, log, f"{entity} {key}", history, events.get(key, []))
    verdict.wrong["doubled"] += [f"{event_id} of {source!r}" for (source, event_id), times in ids.items() if times > 1]


def _judge_first(verdict: Verdict, what: str, events: Sequence[Event], *, old: bool) -> None:
    """A snapshot row for what was there before the bridge, a created event for what came later."""
    for event in events:
        if (event.op == "r" and not old) or (event.op == "c" and old):
            verdict.wrong["invented"].append(f"{what} was made {'before' if old else 'after'} the bridge came: {event}")


def _judge_record(verdict: Verdict, log: Log, what: str, history: Sequence[Version], events: Sequence[Event]) -> None:
    trail = "\n    ".join(["", *map(str, events), f"history: {_numbers(history)}"])
    entity, _, key = what.partition(" ")
    at = -1
    known: Version = None
    for number, event in enumerate(events):
        if (event.op in "cr") != (number == 0) and not (event.op == "d" and number == 0):
            verdict.wrong["disordered"].append(f"{what}: {event.op} is number {number}{trail}")
        if number and event.before != known:
            verdict.wrong["disordered"].append(f"{what}: {event} does not follow what was before{trail}")
        if number and _content(event.after) == _content(known):
            verdict.wrong["doubled"].append(f"{what}: {event} changes nothing{trail}")
        later = next((n for n in range(at + 1, len(history)) if _content(history[n]) == _content(event.after)), None)
        if later is None:
            was = any(_content(version) == _content(event.after) for version in history)
            verdict.wrong["doubled" if was else "invented"].append(f"{what}: {event}{trail}")
        at = at if later is None else later
        known = event.after
    if not events or _content(events[-1].after) != _content(history[-1]):
        verdict.wrong["lost"].append(f"{what}: the last version is not the last event's{trail}")
    state = log.state.get((log.names.state(entity), key), b"never written")
    if state == b"never written" or (None if state is None else json.loads(state)) != known:
        verdict.wrong["state at odds"].append(f"{what}{trail}")


def _numbers(history: Iterable[Version]) -> list[str]:
    return ["gone" if each is None else f"{each.get('details')} @{each.get('date_modified')}" for each in history]


def _odds(log: Log, entity: str, events: Mapping[str, Sequence[Event]]) -> list[str]:
    """Events that do not lie in exactly the topics of their kind."""
    found = []
    for kind in CATALOGUE.kinds(entity):
        lying = log.of(log.names.event(entity, kind))
        there = Counter((record.key or b"", record.header("ce_id") or b"") for record in lying)
        wanted = Counter(
            (key.encode(), event.id.encode()) for key, row in events.items() for event in row if kind in KINDS[event.op]
        )
        found += [f"{entity}.{kind}: {difference}" for difference in (there - wanted) + (wanted - there)]
    return found


def judge_replies(verdict: Verdict, log: Log, truths: Sequence[Truth]) -> None:
    """One reply for each record sent, each true, and no effect beyond one."""
    replies: dict[Position, list[dict[str, Any]]] = defaultdict(list)
    for entity in ENTITIES:
        for record in log.of(log.names.replies(entity)):
            reply = json.loads(record.value or b"")
            replies[_asked(reply)].append(reply)
    letters = Counter(
        tuple(record.header(f"__connect.errors.{part}") for part in ("topic", "partition", "offset"))
        for entity in ENTITIES
        for record in log.of(log.names.dead_letters(entity))
    )
    verdict.figures["dead letters"] = letters.total()
    for truth in truths:
        for sent in truth.callers.sent.values():
            verdict.figures["commands"] += 1
            verdict.figures["command records"] += len(sent.at)
            mine = [reply for at in sent.at for reply in replies.pop(at, [])]
            _judge_command(verdict, truth, sent, mine)
            if sent.action == "nonsense":
                for at in sent.at:
                    where = (at.topic.encode(), str(at.partition).encode(), str(at.offset).encode())
                    if letters.pop(where, 0) != 1:
                        verdict.wrong["dead letters"].append(f"{sent}: not exactly one")
        _judge_order(verdict, truth)
    verdict.wrong["replies to nothing"] += [str(position) for position in replies]
    verdict.wrong["dead letters"] += [f"for nothing: {where}" for where in letters]


def _asked(reply: Mapping[str, Any]) -> Position:
    command = reply["command"]
    return Position(command["topic"], command["partition"], command["offset"])


def _judge_command(verdict: Verdict, truth: Truth, sent: Sent, replies: Sequence[Mapping[str, Any]]) -> None:
    effects = truth.effects(sent)
    case = (
        f"{sent}, effects {[(e.number, e.kind, e.id) for e in effects]}, replies {[_brief(each) for each in replies]}"
    )
    if len(replies) < len(sent.at):
        verdict.wrong["replies missing"].append(case)
    first = [reply for reply in replies if not reply["duplicate"]]
    if len(replies) > len(sent.at) or (len(first) > 1 and sent.action != "nonsense"):
        verdict.wrong["replies doubled"].append(case)
    if len(effects) > 1:
        verdict.wrong["effects beyond one"].append(case)
    statuses = {reply["status"] for reply in replies}
    if len(statuses) != 1:
        verdict.wrong["status untrue"].append(f"more than one: {case}")
        return
    status = statuses.pop()
    verdict.figures[f"replies {status}"] += len(replies)
    if not _true(status, truth, sent, len(effects)):
        verdict.wrong["status untrue"].append(case)
    record = next((reply["record"] for reply in first), None)
    if sent.action == "get" and status == "succeeded":
        history = truth.histories[sent.entity, sent.record_id or 0]
        if not any(_content(version) == _content(record) for version in history):
            verdict.wrong["status untrue"].append(f"a record that never was: {case}")


def _true(status: str, truth: Truth, sent: Sent, effects: int) -> bool:
    if sent.action in {"nonsense", "nowhere"}:
        doubted = sent.action == "nowhere" and status == "unknown"
        return (status == "failed" or doubted) and effects == 0
    if status == "succeeded":
        return effects == (0 if sent.action == "get" else 1)
    if status == "unknown":
        return sent.action in {"create", "convert"} or (sent.action == "update" and truth.contested(sent))
    return status == "failed" and effects == 0 and truth.contested(sent)


def _brief(reply: Mapping[str, Any]) -> str:
    error = reply["error"] or {}
    twice = " duplicate" if reply["duplicate"] else ""
    return (
        f"{reply['status']}{twice} after {reply['attempts']} {error.get('type', '')} {error.get('detail', '')}".strip()
    )


def _judge_order(verdict: Verdict, truth: Truth) -> None:
    """Updates of one record, sent once and straight to the account's shard, run in the order of their offsets."""
    rows: dict[tuple[str, int | None], list[Sent]] = defaultdict(list)
    for sent in truth.callers.sent.values():
        if sent.action == "update" and len(sent.at) == 1 and sent.at[0].partition == truth.callers.shard:
            rows[sent.entity, sent.record_id].append(sent)
    for row in rows.values():
        row.sort(key=lambda sent: sent.at[0].offset)
        numbers = [effect.number for sent in row for effect in truth.effects(sent)]
        if numbers != sorted(numbers):
            verdict.wrong["commands out of order"].append(f"{row} ran as {numbers}")
