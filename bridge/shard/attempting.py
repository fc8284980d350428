"""Attempting: one command from the first look at the journal to an outcome.

What was answered before is answered again; what was attempted without a result is settled before anything is sent; what
has an effect is journaled before the call. Decisions are `policy.outcomes` and `policy.settling`; this is their hands.
Called by `shard.executing`; the outcome is written by `shard.concluding`.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.contract.catalogue import CATALOGUE, Action
from bridge.contract.commands import Command
from bridge.contract.failures import Code, Failure
from bridge.contract.journal import Attempted, Finished, Void
from bridge.contract.replies import Reply, failed
from bridge.policy import outcomes, settling
from bridge.policy.permissions import Permissions
from bridge.policy.sameness import fields_equal
from bridge.policy.sightings import Trouble, Why
from bridge.shard.journal import attempt_record, read_journal, void_record
from bridge.shard.naming import Naming
from bridge.shard.outcome import Outcome, Run, done, expired, hopeless, kept, succeeded, undecided
from bridge.shard.ports import Copper, Draft, Ledger, Tracing
from bridge.shard.publishing import Publishing
from bridge.shard.settling import Settling
from bridge.shard.turns import Turns


@dataclass(frozen=True, slots=True)
class Attempting:
    """Carries commands out. `jitter` gives a number in [0, 1); `fenced_at` is the session's fence, loop time."""

    coppers: Mapping[str, Copper]
    ledger: Ledger
    publishing: Publishing
    settling: Settling
    key_fields: Mapping[str, Mapping[str, int]]
    """Account and entity to the Number field for keys: its definition's id."""
    permissions: Permissions
    fenced_at: float
    jitter: Callable[[], float]
    naming: Naming
    turns: Mapping[str, Turns]
    tracing: Tracing

    async def attempt(self, command: Command, protect: Callable[[bool], None]) -> Outcome:
        """Everything up to the outcome. Returns once Copper has answered for good, or never will."""
        entry = read_journal(self.publishing.memory.known, command)
        if entry is not None and entry.fingerprint != command.fingerprint:
            return Outcome(failed(_ID_REUSED), keep=False)
        if isinstance(entry, Finished):
            self.tracing.note("answered before")
            return Outcome(entry.reply, keep=False)
        if isinstance(entry, Void):
            entry = None
        if entry is None and (refused := self._refused(command)) is not None:
            return refused
        named = await self.naming.named(command, attempted=entry is not None)
        if isinstance(named, Reply):
            return self._unnamed(command, entry, named)
        run = self._run(named, _action(named), entry, protect)
        if entry is not None:
            self.tracing.note("in doubt", why="attempted by a session that has ended")
            return await self._settled(run, self.fenced_at) or await self._calls(run)
        return hopeless(run, self.publishing.clock()) or await self._unexpected(run) or await self._calls(run)

    def _unnamed(self, command: Command, entry: Attempted | None, reply: Reply) -> Outcome:
        """The outcome of a command whose names stand for nothing (any more)."""
        if entry is None:
            return Outcome(reply)
        run = self._run(command, _action(command), entry, lambda _begun: None)
        return undecided(run, "its names cannot be resolved any more: look whether it was done before you repeat it")

    def broken(self, command: Command) -> Outcome:
        """The outcome when our own code failed: `unknown` if an attempt may have had an effect."""
        entry, action = read_journal(self.publishing.memory.known, command), _action(command)
        if isinstance(entry, Attempted) and entry.fingerprint == command.fingerprint:
            run = self._run(command, action, entry, lambda _begun: None)
            return undecided(run, "the bridge failed after the call may have been made: look before you repeat it")
        detail = "the bridge failed before any call was made"
        return Outcome(failed(Failure(Code.INTERNAL, "Internal error", detail, retryable=True)))

    def _run(self, command: Command, action: Action, entry: Attempted | None, protect: Callable[[bool], None]) -> Run:
        field = self.key_fields.get(command.account, {}).get(command.entity) if action.name == "create" else None
        key = None if field is None else settling.key_of(command.account, command.entity, command.id, field)
        run = Run(command, action, self.coppers[command.account], self.turns[command.account], protect, key)
        if entry is not None:
            run.journaled, run.doubted, run.began_s, run.since_s = True, True, entry.at, entry.since
        return run

    async def _calls(self, run: Run) -> Outcome:
        failures = 0
        while True:
            answer = await self._call(run)
            if answer is _REPEATED:
                return await self.attempt(run.command, run.protect)
            if not isinstance(answer, Trouble):
                return succeeded(run, answer)
            outcome = await self._troubled(run, answer, failures)
            if outcome is not None:
                return outcome
            failures += 1

    async def _troubled(self, run: Run, trouble: Trouble, failures: int) -> Outcome | None:
        """What a trouble comes to; None to call again."""
        action = run.action
        decision = outcomes.decide(
            action=action.name,
            effect=action.effect,
            trouble=trouble,
            failures=failures,
            jitter=self.jitter(),
            doubted=run.doubted,
        )
        match decision:
            case outcomes.Expire():
                return expired(run)
            case outcomes.Fail(failure):
                return Outcome(run.timed(failed(failure)), keep=kept(run))
            case outcomes.Succeed():
                return done(run, None, already=True)
            case outcomes.Settle():
                run.doubted = True
                self.tracing.note("in doubt", why=trouble.why)
                settled = await self._settled(run, run.sent_at)
                if settled is None and (trouble.why is Why.CONFLICT or failures + 1 >= outcomes.MOST_SENDS):
                    return self._failed(run, trouble)
                return settled
            case outcomes.WaitAndRetry(seconds):
                await self._void(run)
                self.tracing.note("again later", why=trouble.why, seconds=round(seconds, 1))
                await asyncio.sleep(self._inside(run.command.deadline, seconds))
        return None

    async def _settled(self, run: Run, sent_at: float) -> Outcome | None:
        outcome = await self.settling.settle(run, sent_at)
        self.tracing.note("settled", status="to be called again" if outcome is None else outcome.reply.status)
        return outcome

    def _failed(self, run: Run, trouble: Trouble) -> Outcome:
        return Outcome(run.timed(failed(outcomes.failure_of(trouble))), keep=kept(run))

    async def _call(self, run: Run) -> Any:
        """One call, journaled ahead if it may have an effect. Never more than so many at a time for an account."""
        command = run.command
        async with run.turn(self._inside(command.deadline, math.inf)) as ours:
            if not ours or not await run.copper.admit(run.lane, command.entity, deadline=command.deadline):
                return _TOO_LATE
            deadline = command.deadline
            if run.action.effect:
                held = self.publishing.clock() + settling.HELD_SECONDS
                if not await self._journal(run):
                    return _REPEATED
                deadline = held if deadline is None else min(held, deadline)
            run.asked_s, run.sent_at = self.publishing.clock(), asyncio.get_running_loop().time()
            run.first_s = run.first_s or run.asked_s
            answer = await run.copper.execute(run.sent, deadline=deadline)
            run.copper_s += asyncio.get_running_loop().time() - run.sent_at
            run.calls += 1
            return _HELD_UP if _is_expired(answer) and deadline != command.deadline else answer

    async def _journal(self, run: Run) -> bool:
        """Commit the attempt, before every call: a commit that succeeds proves that the shard is still ours.

        False when the id has turned up in the journal since it was looked up.
        """
        publishing, command, journaled = self.publishing, run.command, run.journaled
        run.protect(True)
        if not journaled:
            run.began_s, run.since_s = publishing.clock(), run.copper.now()

        def write(draft: Draft) -> bool:
            entry = read_journal(publishing.memory.drafted, command)
            open_to_us = Attempted | Void if journaled else Void
            if entry is not None and not (isinstance(entry, open_to_us) and entry.fingerprint == command.fingerprint):
                return False
            draft.add(attempt_record(publishing.names, publishing.shard, command, run.began_s, run.since_s))
            return True

        run.journaled = await self.ledger.commit(write)
        return run.journaled

    async def _void(self, run: Run) -> None:
        """The attempt provably had no effect and the next may be long in coming.

        Take it back, so that no restart doubts.
        """
        if run.journaled:
            void = void_record(self.publishing.names, self.publishing.shard, run.command)
            await self.ledger.commit(lambda draft: draft.add(void))
            run.journaled = False
        run.protect(False)

    async def _unexpected(self, run: Run) -> Outcome | None:
        """Compare what the caller expects with the record as it is: best effort, Copper has no conditional write."""
        command = run.command
        if not command.expect:
            return None
        found = await self.settling.get(run, command.entity, command.record_id or 0)
        if isinstance(found, Trouble):
            return self._failed(run, found)
        if found and fields_equal(command.expect, found[0]):
            return None
        if not found:
            return Outcome(failed(Failure(Code.NOT_FOUND, "No such record", "there is no such record to compare")))
        differing = [name for name in command.expect if not fields_equal({name: command.expect[name]}, found[0])]
        fields = {f"expect.{name}": ("has another value now",) for name in differing}
        detail = f"{', '.join(differing)}: not as expected; nothing was changed"
        return Outcome(failed(Failure(Code.EXPECTATION_FAILED, "Not as expected", detail, fields)))

    def _refused(self, command: Command) -> Outcome | None:
        failure = self.permissions.refusal(command.account, command.entity, command.action)
        return None if failure is None else Outcome(failed(failure))

    def _inside(self, deadline: float | None, seconds: float) -> float:
        return seconds if deadline is None else max(0.0, min(seconds, deadline - self.publishing.clock()))


_REPEATED = object()
_HELD_UP = Trouble(
    Why.NOT_SENT, "held up between journal and call: not sent, for the shard may have been lost meanwhile"
)
_TOO_LATE = Trouble(Why.EXPIRED, "the deadline passed before the budget granted the call")
_ID_REUSED = Failure(
    Code.ID_REUSED, "Command id used before", "another command with this id was taken on; use an id of its own for each"
)


def _action(command: Command) -> Action:
    action = CATALOGUE.action(command.entity, command.action)
    if action is None:
        raise LookupError("decode lets no unknown action through")
    return action


def _is_expired(answer: Any) -> bool:
    return isinstance(answer, Trouble) and answer.why is Why.EXPIRED
