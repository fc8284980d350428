"""Judging commands: what each was answered against what became of it at Copper. Pure.

A `Case` is all there is to know of one command; where it comes from is `evidence`'s to know.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bridge.contract.records import Position
from bridge.sandbox.copper import Effect
from tests.faults.commands.orders import UNREADABLE, Order, Twist
from tests.faults.judging import Verdict

SENDS = 5
"""A write is given up after so many calls in doubt; a read later."""
KINDS = (
    "replies missing",
    "replies doubled",
    "replies to nothing",
    "effects beyond one",
    "told succeeded though not applied",
    "told failed though applied",
    "unknown without need",
    "told two things",
    "told of another record",
    "failed without cause",
    "dead letters",
    "calls beyond the limit",
)
"""What is counted even when there is none of it."""
Said = Mapping[str, Any]
"""A reply's value."""


@dataclass(frozen=True)
class Case:
    """One command: the records that were sent for it, the replies to each, and what is true of it.

    `doubts` counts its calls whose caller learned nothing; `disturbed`: a process or a session ended, or stood still,
    between an attempt and its conclusion; `contested`: others write to its record too, or it is gone; `open`: what
    Copper shows afterwards may not tell whether it came about; `invented`: a reply shows a record that never was so.
    """

    order: Order
    sent: Sequence[Position]
    replies: Mapping[Position, Sequence[Said]]
    effects: Sequence[Effect] = ()
    letters: int = 0
    doubts: int = 0
    disturbed: bool = False
    contested: bool = False
    open: bool = False
    invented: bool = False
    landed_s: float = 0.0
    """The longest time from an attempt's entry in the journal to an effect of its call."""
    trail: str = ""
    """Times, for people."""

    @property
    def first(self) -> list[Said]:
        """Replies but those that say they repeat another, or that the id is another command's."""
        return [each for each in self.all if not each["duplicate"] and code(each) != "id-reused"]

    @property
    def all(self) -> list[Said]:
        return [reply for at in self.sent for reply in self.replies.get(at, ())]

    def __str__(self) -> str:
        """What it came to, then when, then what was asked: the end may be cut off."""
        effects = [f"{effect.kind} {effect.id} at {effect.at:.2f}" for effect in self.effects]
        told = [f"{each['status']} {code(each)} after {each['attempts']}" for each in self.all]
        state = f"doubts {self.doubts}, disturbed {self.disturbed}, contested {self.contested}, open {self.open}"
        what = f"{self.order.account} {self.order.entity}.{self.order.action} {self.order.id or self.order.mark}"
        return f"{what}: told {told}, effects {effects}, {state}; {self.trail}; {self.order} at {self.sent}"


def code(reply: Said) -> str:
    """The code of its error; empty on success."""
    return str((reply["error"] or {}).get("type", ""))


def judge(verdict: Verdict, cases: Collection[Case]) -> None:
    """Every command by itself, and those that share an id together."""
    for kind in KINDS:
        verdict.wrong[kind] += []
    verdict.figures["commands"] = len(cases)
    verdict.figures["command records"] = sum(len(case.sent) for case in cases)
    verdict.figures["actions"] = len({(case.order.entity, case.order.action) for case in cases})
    verdict.figures["ms from an attempt to its effect at most"] = round(
        1000 * max((case.landed_s for case in cases), default=0.0)
    )
    for case in cases:
        for kind in _faults(case):
            verdict.wrong[kind].append(str(case))
        _count(verdict, case)
    _judge_ids(verdict, cases)


def _count(verdict: Verdict, case: Case) -> None:
    verdict.figures["commands with a call in doubt"] += case.doubts > 0
    verdict.figures["commands disturbed between attempt and answer"] += case.disturbed
    for reply in case.all:
        verdict.figures[f"replies {reply['status']}"] += 1
        verdict.figures["replies duplicate"] += reply["duplicate"]
    for reply in case.first:
        if reply["status"] == "unknown":
            verdict.figures[f"unknown {case.order.entity}.{case.order.action}"] += 1


def _judge_ids(verdict: Verdict, cases: Collection[Case]) -> None:
    """An id is one command's: whoever comes later with another is refused, and has no effect."""
    takers: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.order.id is not None:
            takers[case.order.account, case.order.id].append(case)
    for row in takers.values():
        refused = [case for case in row if any(code(reply) == "id-reused" for reply in case.all)]
        verdict.figures["commands refused for their id"] += len(refused)
        if len(row) > 1 and sum(len(case.effects) for case in row) > 1:
            verdict.wrong["effects beyond one"].append(f"of one id: {[str(case) for case in row]}")
        if refused and len(refused) == len(row):
            verdict.wrong["failed without cause"].append(f"an id that nobody took: {[str(case) for case in row]}")


def _faults(case: Case) -> list[str]:
    """Kinds of what is wrong with a command."""
    counts = [len(case.replies.get(at, ())) for at in case.sent]
    unread = case.order.twist in UNREADABLE
    statuses = {reply["status"] for reply in case.all if code(reply) != "id-reused"}
    checks = {
        "replies missing": min(counts) == 0,
        "replies doubled": max(counts) > 1 or (len(case.first) > 1 and not unread),
        "effects beyond one": len(case.effects) > 1,
        "told two things": len(statuses) > 1,
        "told of another record": case.invented or any(_mistaken(case, reply) for reply in case.all),
        "dead letters": case.letters != (len(case.sent) if unread else 0),
    }
    told = [kind for reply in case.all for kind in _untrue(case, reply)]
    return [*(kind for kind, wrong in checks.items() if wrong), *dict.fromkeys(told)]


def _untrue(case: Case, reply: Said) -> list[str]:
    """What is untrue of a reply's status. What failed by its id says nothing of the command."""
    match reply["status"]:
        case "succeeded":
            return [] if _applied(case, reply) else ["told succeeded though not applied"]
        case "unknown":
            return [] if _truly_unknown(case) else ["unknown without need"]
    untrue = ["told failed though applied"] if case.effects else []
    return untrue if _excused(case, reply) else [*untrue, "failed without cause"]


def _applied(case: Case, reply: Said) -> bool:
    """A write has its effect, a read has none; what was to be deleted may have been deleted by others."""
    gone_before = case.order.action == "delete" and bool(reply.get("already")) and case.contested
    return len(case.effects) >= 1 or gone_before if case.order.effect else not case.effects


def _truly_unknown(case: Case) -> bool:
    """A call may have been applied, and what Copper shows afterwards does not tell."""
    return case.order.effect and case.open and (case.doubts > 0 or case.disturbed)


_CODES: Mapping[Twist, str] = MappingProxyType(
    {
        Twist.NONSENSE: "invalid",
        Twist.GARBLED: "malformed",
        Twist.FOREIGN: "unknown-account",
        Twist.NOWHERE: "not-found",
        Twist.TAKEN: "conflict",
        Twist.MISTAKEN: "expectation-failed",
    }
)


def _excused(case: Case, reply: Said) -> bool:
    """Whether a failure has a reason that the order or the weather gave."""
    order, said = case.order, code(reply)
    match said:
        case "would-expire":
            return order.deadline_s is not None
        case "unavailable":
            return case.doubts >= SENDS
        case "id-reused":
            return order.id is not None
        case "not-found" if order.action == "get-by-email":
            return order.entity == "lead"
        case "invalid" if order.twist is Twist.TAKEN:
            return case.doubts > 0  # the refusal came without the words that tell why: its answer was cut off
    return said == _CODES.get(order.twist)


def _mistaken(case: Case, reply: Said) -> bool:
    """Whether a write that succeeded shows another record than the one it made or changed."""
    record = reply["record"]
    if reply["status"] != "succeeded" or record is None or case.order.action not in {"create", "update", "upsert"}:
        return False
    return record["id"] not in {effect.id for effect in case.effects} or record.get("details") != case.order.mark
