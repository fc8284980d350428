"""What the double knows of one account: every version of its records, and what each command brought about. Pure."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bridge.sandbox.copper import Account, Effect
from tests.faults.traffic import Callers, People, Sent

Version = dict[str, Any] | None
"""A record as it was at Copper; None when it was gone."""


@dataclass
class Truth:
    """What is true of one account when all is over."""

    account: Account
    people: People
    callers: Callers

    @cached_property
    def histories(self) -> dict[tuple[str, int], list[Version]]:
        """Every version that was ever true of each record, in order."""
        found: dict[tuple[str, int], list[Version]] = {where: [first] for where, first in self.people.first.items()}
        for effect in self.account.effects:
            gone = effect.record is None or effect.record.get("converted_at") is not None
            found.setdefault((effect.entity, effect.id), []).append(None if gone else effect.record)
        return found

    def effects(self, sent: Sent) -> list[Effect]:
        """What a command has brought about by now."""
        cause: Hashable = ("write", sent.entity, sent.mark)
        if sent.action in {"delete", "convert"}:
            cause = (sent.action, sent.entity, sent.record_id)
        mine = (effect for effect in self.account.effects if effect.by == "api" and _cause(effect) == cause)
        return [] if sent.action == "get" else list(mine)

    def contested(self, sent: Sent) -> bool:
        """Whether others than commands write to the command's record, or it is gone."""
        history = self.histories.get((sent.entity, sent.record_id or 0))
        writers = {e.by for e in self.account.effects if (e.entity, e.id) == (sent.entity, sent.record_id)}
        old = (sent.entity, sent.record_id) in self.people.first
        return old or history is None or history[-1] is None or "people" in writers


def _cause(effect: Effect) -> Hashable:
    """What tells an effect's command: its mark; its record, where a command has no data or names no mark."""
    if effect.kind == "delete":
        return "delete", effect.entity, effect.id
    details = effect.body.get("details")
    return ("convert", effect.entity, effect.id) if isinstance(details, Mapping) else ("write", effect.entity, details)
