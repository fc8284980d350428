"""Snapshots on standard error: bars on a terminal, lines elsewhere.

Called by `asking` and `watching`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from bridge.cli.hearing import SNAPSHOT
from bridge.cli.lines import local, of_announcement
from bridge.contract.announcements import Announcement, Told


class Screen(Protocol):
    """Where announcements are shown as they come."""

    def show(self, said: Announcement) -> None:
        """Show one."""
        ...


class Lines:
    """One line each."""

    def show(self, said: Announcement) -> None:
        """Print it."""
        typer.echo(f"{local(said.at_ms)}  {said.account or '-'}  {of_announcement(said)}", err=True)


class Bars:
    """A bar for each snapshot: records of those expected, calls made, time left. Anything else is a line above."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[tuple[str | None, str | None], TaskID] = {}

    def show(self, said: Announcement) -> None:
        """Move its bar."""
        if said.told not in SNAPSHOT:
            self._progress.console.print(f"{said.account or '-'}  {of_announcement(said)}", highlight=False)
            return
        which, data = (said.account, said.entity), said.data
        if which not in self._bars:
            label = f"{said.account} {said.entity}"
            self._bars[which] = self._progress.add_task(label, total=None, counts="", left="")
        done, records = said.told is Told.SNAPSHOT_COMPLETED, data.get("records", 0)
        expected = records if done else data.get("expected")
        total = None if expected is None else max(1, expected)
        self._progress.update(
            self._bars[which],
            completed=total if done else records,
            total=total,
            counts=f"{records}/{'?' if expected is None else expected} records, {data.get('calls', 0)} calls",
            left=_ended(data) if done else _left(data.get("seconds_left")),
            refresh=True,
        )


@contextmanager
def screen(console: Console) -> Iterator[Screen]:
    """Bars if the console is a terminal, else lines."""
    if not console.is_terminal:
        yield Lines()
        return
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TextColumn("{task.fields[left]}"),
    ]
    # Data on standard output is the caller's, even while bars are drawn on standard error.
    with Progress(*columns, console=console, redirect_stdout=False) as progress:
        yield Bars(progress)


def _ended(data: Mapping[str, Any]) -> str:
    return "done, incomplete" if data.get("incomplete") else "done"


def _left(seconds: int | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left"
