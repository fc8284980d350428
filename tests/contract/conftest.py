from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from bridge.contract.catalogue import topics_root

Documents = dict[str, Any]


def _documents(directory: Path) -> Documents:
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(directory.glob("*.json"))}


@pytest.fixture(scope="session")
def schemas() -> Documents:
    """The published schemas by name."""
    return _documents(topics_root() / "schemas")


@pytest.fixture(scope="session")
def published() -> Documents:
    """The published examples by name."""
    return _documents(topics_root() / "examples")


@pytest.fixture(scope="session")
def asyncapi() -> Documents:
    """The published AsyncAPI document."""
    return dict(yaml.safe_load((topics_root() / "asyncapi.yaml").read_text(encoding="utf-8")))
