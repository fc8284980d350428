"""One secured broker for the files of a worker."""

from collections.abc import AsyncGenerator

import pytest
import structlog

from tests.integration.security.broker import Secured, secured


@pytest.fixture(scope="package")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Secured]:
    async with secured(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="package", autouse=True)
def _all_that_is_logged() -> None:
    """What a file before has set for itself, such as errors only, would hide what is to be seen here."""
    structlog.reset_defaults()
