"""What is installed holds all that the code reads beside itself."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_pages_files_and_the_published_contract(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own project
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    static = {str(path.relative_to(ROOT)) for path in ROOT.glob("bridge/**/static/*")}
    assert len(static) == 3
    assert static | {"bridge/topics/catalogue.toml"} <= held
