"""Outcomes: how a command ended for who called, as exceptions that say what may be done about it.

Raised by `bridge.client.commands`. Their texts hold no more of a record than `error.detail` of the reply, which is free
of it.
"""

from collections.abc import Mapping

from bridge.contract.failures import Failure
from bridge.contract.replies import Reply, Status


class CommandTrouble(Exception):
    """A command did not succeed, or nobody knows."""

    def __init__(self, asked: str, command_id: str | None, said: str) -> None:
        """`asked` is `entity.action`; `command_id` is None for a read that was given none."""
        super().__init__(f"{asked}: {said}" + ("" if command_id is None else f" (command id {command_id})"))
        self.asked = asked
        self.command_id = command_id


class NoReply(CommandTrouble):
    """No reply came in time, or Kafka or the client went away: it may have been done, and may still be.

    To repeat it with the same `command_id` is safe: it is carried out once.
    """


class NotUnderstood(CommandTrouble):
    """A reply came that this client cannot read: the bridge is of a later version."""


class _Answered(CommandTrouble):
    """The bridge's final answer is not success. `code` is one of contract.md §5."""

    words: str

    def __init__(self, asked: str, command_id: str | None, reply: Reply, failure: Failure) -> None:
        super().__init__(asked, command_id, f"{self.words}: {failure.code}: {failure.detail}")
        self.reply = reply
        self.code: str = failure.code
        self.retryable = failure.retryable
        self.fields: Mapping[str, tuple[str, ...]] = failure.fields or {}


class CommandFailed(_Answered):
    """It was not done. `fields` has what is wrong with which; `retryable` says whether it may do any good to repeat it.

    To repeat it takes a new command id: the same one gets the same answer.
    """

    words = "failed"


class CommandExpired(_Answered):
    """Its deadline passed before it was begun, and nothing was done. To repeat it takes a new command id."""

    words = "expired, nothing was done"


class OutcomeUnknown(_Answered):
    """It may have been done or not, and the bridge cannot find out and will not try again.

    Do not repeat it blindly: `reply.failure.detail` says what to look for. To repeat it takes a new command id.
    """

    words = "may have been done or not; look before you repeat it"


_RAISED = {
    Status.FAILED: CommandFailed,
    Status.EXPIRED: CommandExpired,
    Status.UNKNOWN: OutcomeUnknown,
}


def succeeded(reply: Reply, asked: str, command_id: str | None) -> Reply:
    """The reply, if it is one of success. Raises `CommandFailed`, `CommandExpired`, `OutcomeUnknown`."""
    if reply.failure is not None:
        raise _RAISED[reply.status](asked, command_id, reply, reply.failure)
    return reply
