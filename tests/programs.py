"""Other programs as the tests of the image and of the cluster run them: a container engine, kubectl, helm."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")
PATIENCE_S = 300.0
LOOK_S = 0.5


class ProgramFailed(AssertionError):
    """It ended with another code than 0; the text has what it said."""


def run(*command: str, given: str | None = None, patience_s: float = PATIENCE_S) -> str:
    """Run it to its end; what it wrote on standard output. Raises `ProgramFailed`."""
    ended = attempt(*command, given=given, patience_s=patience_s)
    if ended.returncode != 0:
        raise ProgramFailed(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def attempt(
    *command: str, given: str | None = None, patience_s: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    return subprocess.run(  # noqa: S603 - the programs that this test is about
        command, check=False, capture_output=True, text=True, input=given, timeout=patience_s
    )


def until(fact: Callable[[], Fact | None], what: str, patience_s: float = PATIENCE_S) -> Fact:
    """Ask until there is an answer; the answer. Whoever asks a program that fails meanwhile asks again."""
    deadline = time.monotonic() + patience_s
    why: object = "no"
    while time.monotonic() < deadline:
        try:
            if (answer := fact()) is not None:
                return answer
        except ProgramFailed as failed:
            why = failed
        time.sleep(LOOK_S)
    raise AssertionError(f"{what}: not within {patience_s:g} s: {why}")
