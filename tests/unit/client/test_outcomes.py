"""How a command ended is told so that a caller knows what may be done next."""

import pytest

from bridge.client import CommandExpired, CommandFailed, CommandTrouble, OutcomeUnknown
from bridge.client.outcomes import succeeded
from bridge.contract.failures import Code, Failure
from bridge.contract.replies import Reply, Status

INVALID = Failure(
    Code.INVALID, "The command breaks its schema", "data.nmae: unknown field", {"data.nmae": ("unknown field",)}
)
LOOK = Failure(Code.UNAVAILABLE, "Unknown", "look for a company created at 14:20:02", retryable=False)
LATE = Failure(Code.WOULD_EXPIRE, "Too late", "the deadline passed", retryable=True)


@pytest.mark.parametrize(
    ("status", "failure", "raised"),
    [
        (Status.FAILED, INVALID, CommandFailed),
        (Status.EXPIRED, LATE, CommandExpired),
        (Status.UNKNOWN, LOOK, OutcomeUnknown),
    ],
)
def test_each_way_to_end_but_success_has_an_exception_of_its_own(
    status: Status, failure: Failure, raised: type[CommandTrouble]
) -> None:
    reply = Reply(status, record={"name": "Tideglass"}, failure=failure)
    with pytest.raises(CommandTrouble) as caught:
        succeeded(reply, "company.create", "c-1")
    error = caught.value
    assert type(error) is raised
    assert isinstance(error, CommandFailed | CommandExpired | OutcomeUnknown)
    assert (error.asked, error.command_id, error.reply) == ("company.create", "c-1", reply)
    assert (error.code, error.retryable, error.fields) == (failure.code, failure.retryable, failure.fields or {})


def test_the_text_says_what_was_asked_and_why_it_is_so_and_nothing_of_the_record() -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        succeeded(Reply(Status.UNKNOWN, record={"name": "Tideglass"}, failure=LOOK), "company.create", "c-1")
    assert str(caught.value) == (
        "company.create: may have been done or not; look before you repeat it: unavailable: "
        "look for a company created at 14:20:02 (command id c-1)"
    )
    assert "Tideglass" not in repr(caught.value)


def test_a_read_has_no_command_id_to_tell() -> None:
    with pytest.raises(CommandFailed) as caught:
        succeeded(Reply(Status.FAILED, failure=INVALID), "company.get", None)
    assert "command id" not in str(caught.value)


def test_success_is_handed_through() -> None:
    reply = Reply(Status.SUCCEEDED, record={"id": 7})
    assert succeeded(reply, "company.get", None) is reply
