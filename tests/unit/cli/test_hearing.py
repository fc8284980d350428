"""What announcements mean for those who wait."""

from collections.abc import Sequence
from typing import Any

import pytest

from bridge.cli.exits import Exit
from bridge.cli.hearing import Hearing, Hold, holds, running
from bridge.contract.announcements import Announcement, Told
from bridge.contract.catalogue import CATALOGUE
from bridge.contract.control import Asked, Control


def said(told: Told, entity: str | None = None, *, account: str = "acme", at_ms: int = 1, **data: Any) -> Announcement:
    return Announcement(told, account, at_ms, entity, "c-1", data)


def heard(hearing: Hearing, *told: Announcement) -> list[Exit | None]:
    return [hearing.hear(each) for each in told]


ACCEPTED = said(Told.CONTROL_ACCEPTED, asked="snapshot")
SNAPSHOT = Control("c-1", Asked.SNAPSHOT, "acme")


def test_a_snapshot_is_over_when_that_of_every_entity_is() -> None:
    done = [said(Told.SNAPSHOT_COMPLETED, entity, records=1) for entity in CATALOGUE.followed]
    started = said(Told.SNAPSHOT_STARTED, "lead", records=0)
    codes = heard(Hearing(SNAPSHOT), ACCEPTED, started, *done)
    assert codes == [None] * (len(codes) - 1) + [Exit.OK]


def test_a_snapshot_of_what_is_followed_does_not_wait_for_the_rest() -> None:
    accepted = said(Told.CONTROL_ACCEPTED, asked="snapshot", entities=["lead", "task"])
    done = [said(Told.SNAPSHOT_COMPLETED, entity) for entity in ("task", "lead")]
    assert heard(Hearing(SNAPSHOT), accepted, *done) == [None, None, Exit.OK]


def test_a_snapshot_of_one_entity_is_over_with_it() -> None:
    hearing = Hearing(Control("c-1", Asked.SNAPSHOT, "acme", "lead"))
    assert heard(hearing, ACCEPTED, said(Told.SNAPSHOT_COMPLETED, "lead")) == [None, Exit.OK]


@pytest.mark.parametrize(
    ("asked", "told", "codes"),
    [
        (Asked.SNAPSHOT, [Told.CONTROL_REFUSED], [Exit.COMMAND]),
        (Asked.SWEEP, [Told.CONTROL_ACCEPTED, Told.SWEEP_COMPLETED], [None, Exit.OK]),
        (Asked.SWEEP, [Told.CONTROL_ACCEPTED, Told.SWEEP_VOID], [None, Exit.COMMAND]),
        (Asked.SWEEP, [Told.CONTROL_ACCEPTED, Told.DELETES_HELD], [None, Exit.COMMAND]),
        (Asked.APPROVE_DELETES, [Told.CONTROL_ACCEPTED, Told.DELETES_RESUMED], [None, Exit.OK]),
        (Asked.REJECT_DELETES, [Told.DELETES_RESUMED], [Exit.OK]),
        (Asked.PAUSE, [Told.ACCOUNT_PAUSED], [Exit.OK]),
        (Asked.RESUME, [Told.ACCOUNT_RESUMED], [Exit.OK]),
        (Asked.RESUME, [Told.CONTROL_REFUSED], [Exit.COMMAND]),
        (Asked.DISCONNECT, [Told.ACCOUNT_LEAVING, Told.ACCOUNT_DISCONNECTED], [None, Exit.OK]),
        (Asked.FORGET, [Told.ACCOUNT_LEAVING, Told.ACCOUNT_DISCONNECTED], [None, Exit.OK]),
        (Asked.SWEEP, [Told.CONTROL_ACCEPTED, Told.ACCOUNT_DISCONNECTED], [None, Exit.COMMAND]),
    ],
)
def test_what_was_asked_is_over_so(asked: Asked, told: Sequence[Told], codes: list[Exit | None]) -> None:
    assert heard(Hearing(Control("c-1", asked, "acme")), *map(said, told)) == codes


def test_who_does_not_wait_is_content_with_the_acceptance() -> None:
    assert heard(Hearing(SNAPSHOT, wait=False), ACCEPTED) == [Exit.OK]
    assert heard(Hearing(SNAPSHOT, wait=False), said(Told.CONTROL_REFUSED)) == [Exit.COMMAND]


def test_what_has_begun_and_is_not_done_is_running() -> None:
    progress = said(Told.SNAPSHOT_PROGRESS, "lead", records=200)
    told = [
        said(Told.SNAPSHOT_STARTED, "lead"),
        said(Told.SNAPSHOT_STARTED, "task"),
        said(Told.SNAPSHOT_STARTED, "lead", account="other"),
        progress,
        said(Told.SNAPSHOT_COMPLETED, "task"),
        said(Told.SWEEP_COMPLETED),
    ]
    assert running(told) == {("acme", "lead"): progress, ("other", "lead"): told[2]}


HELD = said(Told.DELETES_HELD, at_ms=7, reason="too-many", missing=60, known=100)
APPROVED = said(Told.CONTROL_ACCEPTED, asked="approve-deletes")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([], [Hold("acme", "too-many", 60, 100, 7)]),
        ([said(Told.DELETES_RESUMED, account="other")], [Hold("acme", "too-many", 60, 100, 7)]),
        ([said(Told.CONTROL_REFUSED, reason="no")], [Hold("acme", "too-many", 60, 100, 7)]),
        ([APPROVED], [Hold("acme", "too-many", 60, 100, 7, approved=True)]),
        ([APPROVED, said(Told.DELETES_RESUMED)], []),
        ([APPROVED, said(Told.SWEEP_VOID)], []),
        ([said(Told.DELETES_RESUMED), HELD], [Hold("acme", "too-many", 60, 100, 7)]),
    ],
)
def test_deletes_are_held_from_the_last_hold_to_what_ends_it(after: list[Announcement], expected: list[Hold]) -> None:
    assert holds([APPROVED, HELD, *after]) == expected
