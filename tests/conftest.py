"""What all tests share: figures that are shown once more at the end of the run, and which tests run side by side.

With `-n` tests run in workers: what they print comes to the process that runs the terminal with their reports.
"""

import pytest
from xdist.scheduler import LoadFileScheduling

FIGURES = "figures"
TRAIL = "["
"""What a line of a fault test's trail begins with: of use when it fails, not beside its figures."""
ALONE = "tests/faults"
"""Its tests come one after another: each keeps bridges and a Kafka busy, and aims its kills at moments."""


class Figures:
    """Keeps what tests marked `figures` printed, past pytest's capture, and shows it when all is over."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed and FIGURES in report.keywords:
            lines = [line for line in report.capstdout.splitlines() if line.strip() and not line.startswith(TRAIL)]
            self.told += [report.nodeid.rpartition("::")[2], *(f"  {line}" for line in lines)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.told:
            terminalreporter.section(FIGURES)
            terminalreporter.write("\n".join(self.told) + "\n")


class FaultsInOneLine(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    """Gives each worker a file at a time, in the order of collection, and all fault tests to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return ALONE if nodeid.startswith(f"{ALONE}/") else str(super()._split_scope(nodeid))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Figures())


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    return FaultsInOneLine(config, log)
