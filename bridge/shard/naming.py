"""Naming: the lists of an account's names, fetched when a command needs them, and commands resolved by them.

Called by `shard.attempting` before anything else is done about a command; decisions are `policy.naming`. Only commands
that say something by name cost calls. A list is used for five minutes; that a name is not in it is believed only if it
was fetched after the command was taken up, and nothing makes one list be fetched more often than every ten seconds:
those who wait for the next look share it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.contract.commands import Command
from bridge.contract.failures import Code, Failure
from bridge.contract.replies import Reply, Status, failed
from bridge.policy import naming, outcomes
from bridge.policy.matching import Named
from bridge.policy.sightings import Lane, Trouble
from bridge.shard.outcome import TOO_LATE
from bridge.shard.ports import Copper

FRESH_SECONDS = 300.0
"""So old a list may be: what was renamed at Copper since may still go by its old name."""
BETWEEN_SECONDS = 10.0
"""Between two fetches of one list at least, failed ones too: nobody's misspellings use up the budget."""

Rows = Sequence[Named]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What came of a fetch; `asked` is loop time."""

    rows: Rows | Failure
    asked: float

    def serves(self, since: float) -> bool:
        """Whether it need not be fetched again for somebody who wants it as of `since`."""
        now = asyncio.get_running_loop().time()
        return now < self.asked + BETWEEN_SECONDS if isinstance(self.rows, Failure) else self.asked >= since


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of the accounts of one shard. `clock` gives Unix seconds, `jitter` a number in [0, 1)."""

    coppers: Mapping[str, Copper]
    clock: Callable[[], float]
    jitter: Callable[[], float]
    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    _locks: dict[tuple[str, str], asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def named(self, command: Command, *, attempted: bool) -> Command | Reply:
        """The command by ids, or its answer. The deadline of what was `attempted` is of no account any more."""
        deadline = None if attempted else command.deadline
        try:
            async with asyncio.timeout(None if deadline is None else deadline - self.clock()):
                found = await self._resolved(command)
        except TimeoutError:
            return Reply(Status.EXPIRED, failure=TOO_LATE)
        return found if isinstance(found, Command) else failed(found)

    async def _resolved(self, command: Command) -> Command | Failure:
        now = asyncio.get_running_loop().time()
        lists = await self._lists(command.account, naming.needs(command), now - FRESH_SECONDS)
        if isinstance(lists, Failure):
            return lists
        found = naming.resolve(command, lists)
        if isinstance(found, naming.Unresolved) and found.doubtful:
            newer = await self._lists(command.account, found.doubtful, now)
            if isinstance(newer, Failure):
                return newer
            found = naming.resolve(command, {**lists, **newer})
        return _failure(found) if isinstance(found, naming.Unresolved) else found

    async def _lists(self, account: str, names: Iterable[str], since: float) -> Mapping[str, Rows] | Failure:
        lists = {}
        for name in sorted(names):
            rows = await self._list(account, name, since)
            if isinstance(rows, Failure):
                return rows
            lists[name] = rows
        return lists

    async def _list(self, account: str, name: str, since: float) -> Rows | Failure:
        """A list as of `since`, loop time, or later."""
        kept = self._kept.get((account, name))
        if kept is not None and kept.serves(since):
            return kept.rows
        async with self._locks[account, name]:
            kept = self._kept.get((account, name))
            if kept is None or not kept.serves(since):
                kept = await self._fetch(account, name, kept)
            return kept.rows

    async def _fetch(self, account: str, name: str, before: _Kept | None) -> _Kept:
        loop = asyncio.get_running_loop()
        if before is not None:
            await asyncio.sleep(before.asked + BETWEEN_SECONDS - loop.time())
        asked = loop.time()
        kept = self._kept[account, name] = _Kept(await self._answer(account, name), asked)
        return kept

    async def _answer(self, account: str, name: str) -> Rows | Failure:
        """The list, however long the world keeps us waiting; or why there is none to be had."""
        copper, failures = self.coppers[account], 0
        while isinstance(answer := await copper.reference(name, Lane.COMMANDS), Trouble):
            decision = outcomes.decide(
                action="get", effect=False, trouble=answer, failures=failures, jitter=self.jitter()
            )
            if not isinstance(decision, outcomes.WaitAndRetry):
                failure = outcomes.failure_of(answer)
                return replace(failure, detail=f"no names can be resolved by {name}: {failure.detail}", fields=None)
            await asyncio.sleep(decision.seconds)
            failures += 1
        return answer


def _failure(found: naming.Unresolved) -> Failure:
    told = [f"{path}: {reason}" for path, reasons in found.problems.items() for reason in reasons]
    return Failure(Code.INVALID, "A name is not one of Copper's", "; ".join(told)[:1000], found.problems)
