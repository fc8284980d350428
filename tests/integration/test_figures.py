import subprocess
import sys
from pathlib import Path

import pytest

PRINTING = """
import pytest

@pytest.mark.figures
def test_of_speed():
    print("[   0.1 s] a line of its trail")
    print("7 rounds a second")

def test_of_nothing():
    print("said in passing")
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_end_of_a_run_shows_the_figures_and_then_pytests_own_last_line(workers: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = figures\n")
    (tmp_path / "test_printing.py").write_text(PRINTING)
    command = (sys.executable, "-m", "pytest", "-p", "tests.conftest", "-n", workers, "--rootdir", tmp_path, tmp_path)
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this Python
    *_, headline, test, figure, last = filter(None, run.stdout.splitlines())
    assert headline.strip("=") == " figures "
    assert (test, figure) == ("test_of_speed", "  7 rounds a second")
    assert "2 passed" in last
