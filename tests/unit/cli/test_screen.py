"""Snapshots on standard error: bars on a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from bridge.cli.screen import screen
from bridge.contract.announcements import Announcement, Told

TOLD = [
    Announcement(Told.CONTROL_ACCEPTED, "acme", 1, None, "c-1", {"asked": "snapshot"}),
    Announcement(Told.SNAPSHOT_STARTED, "acme", 1, "lead", "c-1", {"records": 0, "expected": None}),
    Announcement(
        Told.SNAPSHOT_PROGRESS,
        "acme",
        1,
        "lead",
        "c-1",
        {"records": 200, "expected": 4000, "calls": 1, "seconds_left": 3725},
    ),
]


def drawn(*told: Announcement) -> str:
    file = io.StringIO()
    with screen(Console(file=file, force_terminal=True, width=120, color_system=None)) as shown:
        for said in told:
            shown.show(said)
    return file.getvalue()


def test_a_terminal_shows_a_bar_with_records_calls_and_time_left() -> None:
    text = drawn(*TOLD)
    assert "control.accepted: asked snapshot" in text
    assert "0/? records" in text
    assert "acme lead" in text
    assert "200/4000 records, 1 calls 1:02:05 left" in text


def test_a_bar_ends_with_what_was_read_whatever_was_expected() -> None:
    done = Announcement(Told.SNAPSHOT_COMPLETED, "acme", 1, "lead", "c-1", {"records": 3900, "calls": 20})
    last = drawn(*TOLD, done).rpartition("acme lead")[2]
    assert "3900/3900 records, 20 calls done" in last


def test_without_a_terminal_everything_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with screen(Console(file=io.StringIO())) as shown:
        for said in TOLD:
            shown.show(said)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(maxsplit=2)[2] for line in err.splitlines()] == [
        "control.accepted: asked snapshot",
        "snapshot.started lead: records 0",
        "snapshot.progress lead: records 200, expected 4000, calls 1, seconds_left 3725",
    ]
