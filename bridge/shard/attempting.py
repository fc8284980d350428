"""Attempting: one command from the first look at the journal to an outcome.

What was answered before is answered again; what was attempted without a result is settled before anything is sent; what
has an effect is journaled before the call. Decisions are `policy.outcomes` and `policy.settling`; this is their hands.
Called by `shard.executing`; the outcome is written by `shard.concluding`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.contract.catalogue import CATALOGUE
from bridge.contract.commands import Command
from bridge.contract.events import content_hash, state_key
from bridge.contract.failures import Code, Failure
from bridge.contract.records import Outgoing
from bridge.contract.replies import failed
from bridge.policy import outcomes, settling
from bridge.policy.sightings import Lane, Trouble, Why
from bridge.shard.journal import Attempted, Finished, attempt_record, journal_key, read_journal
from bridge.shard.outcome import Outcome, Run, done, expired, kept, succeeded, unknown
from bridge.shard.ports import Copper, Draft, Ledger
from bridge.shard.publishing import Publishing


@dataclass(frozen=True, slots=True)
class Attempting:
    """Carries commands out. `jitter` gives a number in [0, 1); `fenced_at` is the session's fence, loop time."""

    coppers: Mapping[str, Copper]
    ledger: Ledger
    publishing: Publishing
    waits: settling.Waits
    allow_delete: bool
    fenced_at: float
    jitter: Callable[[], float]
    slots: Mapping[str, asyncio.Semaphore]

    async def attempt(self, command: Command, protect: Callable[[bool], None]) -> Outcome:
        """Everything up to the outcome. Returns once Copper has answered for good, or never will."""
        entry = read_journal(self.publishing.memory.known, command)
        if entry is not None and entry.fingerprint != command.fingerprint:
            return Outcome(failed(_ID_REUSED), keep=False)
        if isinstance(entry, Finished):
            return Outcome(entry.reply, keep=False)
        action = CATALOGUE.action(command.entity, command.action)
        if action is None:
            raise LookupError("decode lets no unknown action through")
        run = Run(command, action, self.coppers[command.account], protect)
        if isinstance(entry, Attempted):
            run.journaled, run.before = True, entry.before
            return await self._settle(run, self.fenced_at) or await self._calls(run)
        return self._refused(command) or await self._unexpected(run) or await self._calls(run)

    def broken(self, command: Command) -> Outcome:
        """The outcome when our own code failed: `unknown` if an attempt may have had an effect."""
        if isinstance(read_journal(self.publishing.memory.known, command), Attempted):
            return Outcome(unknown("the bridge failed after the call may have been made: look before you repeat it"))
        detail = "the bridge failed before any call was made"
        return Outcome(failed(Failure(Code.INTERNAL, "Internal error", detail, retryable=True)))

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
        jitter, action = self.jitter(), run.action
        decision = outcomes.decide(
            action=action.name, effect=action.effect, trouble=trouble, failures=failures, jitter=jitter
        )
        if isinstance(decision, outcomes.ProbeAccount):
            probe = await run.copper.works(Lane.COMMANDS)
            decision = outcomes.after_probe(trouble, probe, failures=failures, jitter=jitter)
        match decision:
            case outcomes.Expire():
                return expired(run)
            case outcomes.Fail(failure):
                return Outcome(run.timed(failed(failure)), keep=kept(run))
            case outcomes.Succeed():
                return done(run, None, already=True)
            case outcomes.Settle():
                settled = await self._settle(run, run.sent_at)
                if settled is None and failures + 1 >= outcomes.MOST_SENDS:
                    return Outcome(run.timed(failed(outcomes.failure_of(trouble))))
                return settled
            case outcomes.WaitAndRetry(seconds):
                await self._void(run)
                await asyncio.sleep(self._inside(run.command.deadline, seconds))
        return None

    async def _call(self, run: Run) -> Any:
        """One call, journaled ahead if it may have an effect. Never more than so many at a time for an account."""
        command = run.command
        async with self.slots[command.account]:
            if not await run.copper.admit(Lane.COMMANDS, deadline=command.deadline):
                return _TOO_LATE
            deadline = command.deadline
            if run.action.effect:
                held = self.publishing.clock() + settling.HELD_SECONDS
                if not await self._journal(run):
                    return _REPEATED
                deadline = held if deadline is None else min(held, deadline)
            run.asked_s, run.sent_at = self.publishing.clock(), asyncio.get_running_loop().time()
            run.first_s = run.first_s or run.asked_s
            answer = await run.copper.execute(command, deadline=deadline)
            run.copper_s += asyncio.get_running_loop().time() - run.sent_at
            run.calls += 1
            return _HELD_UP if _is_expired(answer) and deadline != command.deadline else answer

    async def _journal(self, run: Run) -> bool:
        """Commit the attempt, before every call: a commit that succeeds proves that the shard is still ours.

        False when the id has turned up in the journal since it was looked up.
        """
        publishing, command, journaled = self.publishing, run.command, run.journaled
        run.protect(True)
        if command.record_id is not None and not journaled:
            kept = publishing.memory.known.record(
                command.entity, state_key(command.account, command.record_id).decode()
            )
            run.before = None if kept is None else kept.hash

        def write(draft: Draft) -> bool:
            entry = read_journal(publishing.memory.drafted, command)
            if entry is not None and not (journaled and isinstance(entry, Attempted)):
                return False
            draft.add(attempt_record(publishing.names, publishing.shard, command, run.before, publishing.clock()))
            return True

        run.journaled = await self.ledger.commit(write)
        return run.journaled

    async def _void(self, run: Run) -> None:
        """The attempt provably had no effect and the next may be long in coming.

        Take it back, so that no restart doubts.
        """
        if run.journaled:
            key = journal_key(run.command).encode()
            names, shard = self.publishing.names, self.publishing.shard
            await self.ledger.commit(lambda draft: draft.add(Outgoing(names.journal, shard, key, None)))
            run.journaled = False
        run.protect(False)

    async def _settle(self, run: Run, since: float) -> Outcome | None:
        """Wait until the truth shows, look, decide. None when the call is to be made (again).

        A stop does not wait for this: the attempt is in the journal, and the next session settles it.
        """
        run.protect(False)
        command, look = run.command, settling.look_for(run.action.name)
        if look is not settling.Look.NONE:
            await asyncio.sleep(since + self.waits.before(look) - asyncio.get_running_loop().time())
        run.asked_s = self.publishing.clock()
        found = await self._look(run, look)
        before = self._comparable(run, found)
        verdict = settling.settle(run.action.name, sent=command.data, before=before, found=found)
        match verdict:
            case settling.Done(record):
                return done(run, record)
            case settling.Undecided(detail):
                return Outcome(run.timed(unknown(detail)))
        return None

    def _comparable(self, run: Run, found: settling.Found) -> str | None:
        """The journaled hash in terms of whole records: what is known is only what may leave Copper.

        None when the fields that were sent are not among what is known: then nobody can tell whether they changed.
        """
        policy = self.publishing.fields.get(run.command.entity)
        if policy is None or run.before is None or not found:
            return run.before
        if any(policy.touches(name) for name in run.command.data):
            return None
        same = content_hash(policy.apply(found[0])).startswith(run.before)
        return content_hash(found[0]) if same else _ANOTHER

    async def _look(self, run: Run, look: settling.Look) -> settling.Found:
        command, failures = run.command, 0
        while look is not settling.Look.NONE:
            if look is settling.Look.SEARCH:
                found = await run.copper.find(command.entity, command.match or {}, Lane.COMMANDS)
            else:
                answer = await run.copper.get(command.entity, command.record_id or 0, Lane.COMMANDS)
                found = answer if isinstance(answer, Trouble) else [answer]
            if not isinstance(found, Trouble):
                return found
            if found.why is Why.NOT_FOUND:
                break
            await asyncio.sleep(outcomes.pause(failures, self.jitter()))
            failures += 1
        return []

    async def _unexpected(self, run: Run) -> Outcome | None:
        """Compare what the caller expects with the record as it is: best effort, Copper has no conditional write."""
        command = run.command
        if not command.expect:
            return None
        found = await self._look(run, settling.Look.GET)
        if found and settling.fields_equal(command.expect, found[0]):
            return None
        if not found:
            return Outcome(failed(Failure(Code.NOT_FOUND, "No such record", "there is no such record to compare")))
        differing = [
            name for name in command.expect if not settling.fields_equal({name: command.expect[name]}, found[0])
        ]
        fields = {f"expect.{name}": ("has another value now",) for name in differing}
        detail = f"{', '.join(differing)}: not as expected; nothing was changed"
        return Outcome(failed(Failure(Code.EXPECTATION_FAILED, "Not as expected", detail, fields)))

    def _refused(self, command: Command) -> Outcome | None:
        if command.action == "delete" and not self.allow_delete:
            detail = "deletes are switched off in this bridge (commands.allow_delete)"
            return Outcome(failed(Failure(Code.FORBIDDEN, "Not allowed", detail)))
        return None

    def _inside(self, deadline: float | None, seconds: float) -> float:
        return seconds if deadline is None else max(0.0, min(seconds, deadline - self.publishing.clock()))


_REPEATED = object()
_ANOTHER = "-"
"""The hash of no record."""
_HELD_UP = Trouble(
    Why.NOT_SENT, "held up between journal and call: not sent, for the shard may have been lost meanwhile"
)
_TOO_LATE = Trouble(Why.EXPIRED, "the deadline passed before the budget granted the call")
_ID_REUSED = Failure(
    Code.ID_REUSED, "Command id used before", "another command with this id was taken on; use an id of its own for each"
)


def _is_expired(answer: Any) -> bool:
    return isinstance(answer, Trouble) and answer.why is Why.EXPIRED
