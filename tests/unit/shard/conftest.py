from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.unit.shard.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """A shard that knows nothing yet, of an account that has nothing yet."""
    made = Stage(tmp_path)
    yield made
    made.memory.close()
