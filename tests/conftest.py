"""What all tests share: figures that tests print are shown once more at the end of the run, past pytest's capture."""

from collections.abc import Generator

import pytest

TOLD = pytest.StashKey[list[str]]()
TRAIL = "["
"""What a line of a fault test's trail begins with: of use when it fails, not beside its figures."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed and item.get_closest_marker("figures"):
        lines = [line for line in report.capstdout.splitlines() if line.strip() and not line.startswith(TRAIL)]
        item.config.stash[TOLD].extend([item.name, *(f"  {line}" for line in lines)])
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    told = config.stash[TOLD]
    if told:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(told) + "\n")
