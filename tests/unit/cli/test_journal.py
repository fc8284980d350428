"""What is said of a command's steps: when it was in doubt, how it ended, what settled it later."""

from collections.abc import Sequence

import orjson
import pytest

from bridge.cli.journal import command_object, page_of, told_of
from bridge.client.journal import Step
from bridge.contract.failures import Code, Failure
from bridge.contract.journal import Attempted, Finished, Settled, Void
from bridge.contract.replies import Reply, Status

AT = 1_790_000_000.0
ATTEMPT = Attempted("f", AT, AT)
DONE = Finished("f", AT + 9, Reply(Status.SUCCEEDED, record={"id": 7, "name": "canary"}, attempts=1))
UNKNOWN = Finished("f", AT + 9, Reply(Status.UNKNOWN, failure=Failure(Code.UNAVAILABLE, "t", "d"), attempts=2))
SEEN = Finished("f", AT + 9, UNKNOWN.reply, Settled(7, "company:7:1:ab:created", AT + 60))


def steps(*entries: Attempted | Void | Finished | None) -> list[Step]:
    return [
        Step(AT + number, None if entry is None else "company.create", entry) for number, entry in enumerate(entries)
    ]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([ATTEMPT], [("attempted", True)]),
        ([ATTEMPT, DONE], [("attempted", False), ("answered", None)]),
        ([ATTEMPT, None, DONE], [("attempted", False), ("void", None), ("answered", None)]),
        ([ATTEMPT, Void("f"), DONE], [("attempted", False), ("void", None), ("answered", None)]),
        ([ATTEMPT, ATTEMPT, DONE], [("attempted", True), ("attempted", False), ("answered", None)]),
        ([ATTEMPT, UNKNOWN], [("attempted", True), ("answered", None)]),
        ([ATTEMPT, UNKNOWN, SEEN], [("attempted", True), ("answered", None), ("settled", None)]),
        ([SEEN], [("answered", None), ("settled", None)]),
    ],
)  # fmt: skip
def test_each_step_is_told_once_and_an_attempt_says_whether_it_was_in_doubt(
    entries: Sequence[Attempted | Void | Finished | None], expected: list[tuple[str, bool | None]]
) -> None:
    assert [(what, more.get("in_doubt")) for what, _, more in told_of(steps(*entries))] == expected


def test_a_page_has_a_line_for_each_step_and_nothing_of_the_record() -> None:
    assert page_of("acme", "c-1", steps(ATTEMPT, Void("f"), ATTEMPT, UNKNOWN, SEEN)).splitlines() == [
        "acme  company.create  c-1",
        "  2026-09-21T14:13:20Z  attempted",
        "  2026-09-21T14:13:21Z  void       it had no effect and was taken back",
        "  2026-09-21T14:13:22Z  attempted  in doubt",
        "  2026-09-21T14:13:29Z  answered   unknown unavailable, 2 calls",
        "  2026-09-21T14:14:20Z  settled    id=7 was seen after all, event company:7:1:ab:created",
    ]
    line = command_object("acme", "c-1", steps(ATTEMPT, DONE))
    assert orjson.loads(line)["steps"][1]["record_id"] == 7
    assert "canary" not in line + page_of("acme", "c-1", steps(ATTEMPT, DONE))
