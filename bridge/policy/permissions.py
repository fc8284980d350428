"""Permissions: which actions this bridge carries out at all, whoever asks.

Called by `shard.attempting` before anything else is done for a command; the patterns are the operator's, checked at the
start by `bridge.settings`. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.failures import Code, Failure
from bridge.contract.payloads import did_you_mean

EVERYTHING = ("*",)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Patterns of `<entity>.<action>`: the bridge's and single accounts'. Both must let an action through."""

    everywhere: Sequence[str] = EVERYTHING
    accounts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Account name to its patterns; an account without any is not narrowed further."""
    deletes: bool = True

    def refusal(self, account: str, entity: str, action: str) -> Failure | None:
        """Why the action is not carried out for the account, by the setting that says so; None when it may be."""
        name = f"{entity}.{action}"
        if action == "delete" and not self.deletes:
            return _forbidden("deletes are switched off in this bridge (commands.allow_delete)")
        if not _matches(name, self.everywhere):
            return _forbidden(f"{name} is not let through by this bridge (commands.allowed)")
        if not _matches(name, self.accounts.get(account, EVERYTHING)):
            return _forbidden(f"{name} is not let through for this account (accounts.{account}.commands_allowed)")
        return None


def checked(patterns: Sequence[str]) -> Sequence[str]:
    """The patterns themselves. Raises ValueError for one that matches no action: it is a slip of the pen."""
    names = [_name(row) for row in CATALOGUE.actions]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f'"{pattern}" matches no action{did_you_mean(pattern, _ways_to_say(names))}')
    return patterns


def _ways_to_say(names: Sequence[str]) -> list[str]:
    entities = [f"{entity}.*" for entity in CATALOGUE.entities]
    actions = [f"*.{row.name}" for row in CATALOGUE.actions]
    return [*names, *entities, *dict.fromkeys(actions)]


def _name(action: Action) -> str:
    return f"{action.entity}.{action.name}"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _forbidden(detail: str) -> Failure:
    return Failure(Code.FORBIDDEN, "Not allowed", detail)
