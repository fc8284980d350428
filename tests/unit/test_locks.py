"""The lock files are of one resolution: what the tests ran with is what the image has."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def locked(path: str) -> dict[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["deploy/requirements.lock", "deploy/build.lock"])
def test_what_the_image_is_made_of_was_tested_in_that_version(lock: str) -> None:
    assert locked(lock).items() <= locked("requirements.lock").items()
    assert locked(lock)


def test_no_tool_of_the_developers_is_in_the_image() -> None:
    assert not {"hatchling", "mypy", "pytest", "ruff", "testcontainers"} & locked("deploy/requirements.lock").keys()
