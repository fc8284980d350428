"""A bridge at work and a real Chromium that looks at its status page."""

import os
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from bridge.sandbox.kafka.ports import free_ports
from bridge.telemetry import logs
from tests.integration.bridge.stage import Stage, stage

ARGUMENTS = [
    "--no-sandbox",  # root has none, and CI is root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 30_000
Looking = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="package")
async def play(bootstrap_servers: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A bridge whose page keeps its address over a restart; leads are polled every second, the rest hardly ever."""
    (port,) = free_ports(1)
    events = {"poll_every": "10m", "lead": {"poll_every": "1s"}}
    server = {"internal": {"host": "127.0.0.1", "port": port}}
    directory = tmp_path_factory.mktemp("page")
    logs.configure("error", "json")
    async with stage(bootstrap_servers, directory, ["acme"], events=events, server=server) as play:
        yield play


@pytest.fixture(scope="package")
async def chromium() -> AsyncGenerator[Browser]:
    """The browser: Debian's, or the one that CHROMIUM names."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("no Chromium is there: `make browser` installs it, or says how", pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def looking(play: Stage, chromium: Browser) -> Looking:
    """Opens the status page. What the browser asks for and complains of is judged when the page is closed."""

    @asynccontextmanager
    async def look(*, alone: bool = False, **context: Any) -> AsyncGenerator[Page]:
        """`alone`: the page does not get its stream; the bridge may be away as well."""
        assert play.running is not None
        address = f"http://127.0.0.1:{play.running.internal_port}/"
        asked: list[str] = []
        complaints: list[str] = []
        opened = await chromium.new_context(viewport={"width": 1200, "height": 900}, **context)
        opened.set_default_timeout(PATIENCE_MS)
        page = await opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if alone:
            await page.clock.install()
            await page.route("**/api/stream", lambda route: route.abort())
        await page.goto(address)
        yield page
        await opened.close()
        assert asked
        assert [url for url in asked if not url.startswith(address)] == []
        assert [each for each in complaints if "net::ERR_" not in each] == []

    return look
