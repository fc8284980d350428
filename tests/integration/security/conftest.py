"""One secured broker for the files of a worker."""

from collections.abc import AsyncGenerator

import pytest

from tests.integration.security.broker import Secured, secured


@pytest.fixture(scope="package")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Secured]:
    async with secured(tmp_path_factory.mktemp("broker")) as running:
        yield running
