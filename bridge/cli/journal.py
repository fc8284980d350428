"""`journal show`: what was attempted for a command and how it ended, as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import typer

from bridge.cli.exits import Exit, exit_code
from bridge.cli.letters import safe
from bridge.cli.reaching import Where
from bridge.client.journal import Step, journal
from bridge.contract.journal import Attempted, Finished, Void
from bridge.contract.moments import utc
from bridge.contract.replies import Reply, Status


def show_command(where: Where, command_id: str, account: str | None, *, as_objects: bool) -> int:
    """Print what the journal knows of a command; the exit code."""

    async def work() -> int:
        found = await journal(where.kafka, where.names, command_id, account)
        for owner, steps in sorted(found.items()):
            typer.echo(command_object(owner, command_id, steps) if as_objects else page_of(owner, command_id, steps))
        if found:
            return Exit.OK
        whose = "" if account is None else f" of {account}"
        known = f"the journal knows no command {safe(command_id)}{whose}"
        typer.echo(f"{known}: it has not been begun, or was 30 days ago", err=True)
        return Exit.COMMAND

    return exit_code(work())


def page_of(account: str, command_id: str, steps: Sequence[Step]) -> str:
    """A command and a line for each step."""
    lines = (f"  {utc(at)}  {what:<9}  {_words(what, told)}".rstrip() for what, at, told in told_of(steps))
    return "\n".join([f"{account}  {_action(steps)}  {safe(command_id)}", *lines])


def command_object(account: str, command_id: str, steps: Sequence[Step]) -> str:
    """The same as a line of JSON."""
    told = [{"step": what, "at": utc(at), **more} for what, at, more in told_of(steps)]
    return orjson.dumps({"account": account, "id": command_id, "action": _action(steps), "steps": told}).decode()


def told_of(steps: Sequence[Step]) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """What to say of each step: `attempted`, `void`, `answered` or `settled`, when, and more."""
    for before, step, after in zip([None, *steps], steps, [*steps[1:], None], strict=False):
        match step.entry:
            case None | Void():
                yield "void", step.at, {}
            case Attempted():
                yield "attempted", step.at, {"in_doubt": _in_doubt(after)}
            case Finished() as entry:
                # The answer is told by the record that was written with it, unless compaction has taken that one.
                if before is None or not isinstance(before.entry, Finished):
                    yield "answered", entry.at, _answer(entry.reply)
                if entry.settled is not None:
                    seen = {"record_id": entry.settled.record_id, "event_id": entry.settled.event_id}
                    yield "settled", entry.settled.at, seen


def _in_doubt(after: Step | None) -> bool:
    """Whether it was not known what became of an attempt: nothing has been said of it yet, or it was made again."""
    if after is None:
        return True
    if isinstance(after.entry, Finished):
        return after.entry.reply.status is Status.UNKNOWN
    return isinstance(after.entry, Attempted)


def _answer(reply: Reply) -> dict[str, Any]:
    return {
        "status": reply.status.value,
        "code": None if reply.failure is None else reply.failure.code.value,
        "record_id": None if reply.record is None else reply.record.get("id"),
        "calls": reply.attempts,
    }


def _words(what: str, told: dict[str, Any]) -> str:
    match what:
        case "void":
            return "it had no effect and was taken back"
        case "attempted":
            return "in doubt" if told["in_doubt"] else ""
        case "settled":
            return f"id={told['record_id']} was seen after all, event {safe(told['event_id'])}"
    about = None if told["record_id"] is None else f"id={told['record_id']}"
    calls = f"{told['calls']} call{'' if told['calls'] == 1 else 's'}"
    return " ".join(part for part in (told["status"], told["code"], about) if part) + f", {calls}"


def _action(steps: Sequence[Step]) -> str:
    return next((step.action for step in reversed(steps) if step.action is not None), "-")
