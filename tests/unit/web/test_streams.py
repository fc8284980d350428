"""The page's streams: what they send, how many there are, how they end; and the rules a browser is held to."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from prometheus_client import CollectorRegistry

from bridge.policy.health import Verdict
from bridge.web.internal import internal
from bridge.web.page.serving import EVERY_SECONDS, MOST_STREAMS, QUIET_SECONDS, STALLED_SECONDS
from bridge.web.ports import listening
from tests.unit.web.nobody import NOBODY
from tests.unit.web.shown import command, history, status

SECTIONS = ["head", "attention", "events", "hour", "commands", "budget", "replicas", "timeline"]
STALE_SECONDS = 30.0
"""What the page's script takes for too long a silence."""


class Shown:
    """What the page is given; a test changes it."""

    def __init__(self) -> None:
        self.status = status()
        self.history = history()


@pytest.fixture
def shown() -> Shown:
    return Shown()


GOOD = Verdict(good=True, told=("works",))


@asynccontextmanager
async def serving(shown: Shown) -> AsyncGenerator[int]:
    app = internal(
        CollectorRegistry(),
        alive=lambda: GOOD,
        ready=lambda: GOOD,
        status=lambda: shown.status,
        history=lambda: shown.history,
        accounts=NOBODY,
    )
    async with listening(app, "127.0.0.1", 0) as port:
        yield port


@pytest.fixture
async def session(shown: Shown) -> AsyncGenerator[ClientSession]:
    async with serving(shown) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def heard(stream: ClientResponse) -> dict[str, Any]:
    """The next message: its fields, and its data as JSON."""
    fields: dict[str, Any] = {}
    while line := (await stream.content.readline()).decode().rstrip("\r\n"):
        name, _, value = line.partition(": ")
        fields |= {name: value} if name else {}
    if not fields:  # a comment, or the end
        return {} if stream.content.at_eof() else await heard(stream)
    return {**fields, "data": orjson.loads(fields["data"])}


async def test_a_stream_begins_with_everything_and_goes_on_with_what_has_changed(
    session: ClientSession, shown: Shown
) -> None:
    async with session.get("/api/stream") as stream:
        assert stream.content_type == "text/event-stream"
        first = await heard(stream)
        assert first["retry"]
        assert [*first["data"]["sections"]] == SECTIONS
        assert first["data"]["now"] == shown.status["now"]
        shown.history = history(commands=[command(id="order-8")])
        second = await heard(stream)
        assert [*second["data"]["sections"]] == ["commands"]
        assert "order-8" in second["data"]["sections"]["commands"]


async def test_what_changes_often_is_told_once_a_second(session: ClientSession, shown: Shown) -> None:
    clock = asyncio.get_running_loop().time
    async with session.get("/api/stream") as stream:
        await heard(stream)
        began = clock()
        for number in range(5):
            shown.history = history(commands=[command(id=f"order-{number}")])
            await heard(stream)
        assert clock() - began >= 4 * EVERY_SECONDS


async def test_a_stream_without_news_still_says_that_it_lives(session: ClientSession) -> None:
    clock = asyncio.get_running_loop().time
    async with session.get("/api/stream") as stream:
        await heard(stream)
        began = clock()
        assert (await heard(stream))["data"]["sections"] == {}
        assert QUIET_SECONDS <= clock() - began < STALE_SECONDS / 2


async def test_so_many_may_watch_and_who_leaves_makes_room(session: ClientSession) -> None:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(session.get("/api/stream")) for _ in range(MOST_STREAMS)]
        for stream in streams:
            await heard(stream)
        async with session.get("/api/stream") as refused:
            assert refused.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert "watching already" in await refused.text()
        streams[0].close()
        await asyncio.sleep(2 * EVERY_SECONDS)
        async with session.get("/api/stream") as stream:
            assert [*(await heard(stream))["data"]["sections"]] == SECTIONS


async def test_who_takes_nothing_is_given_up(shown: Shown) -> None:
    async with serving(shown) as port:
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        taker.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=taker, limit=1)
        writer.write(b"GET /api/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        for number in range(12):
            shown.history = history(commands=[command(id=f"{number:03}" * 85) for _ in range(2000)])
            await asyncio.sleep(EVERY_SECONDS)
        await asyncio.sleep(2 * STALLED_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(2 * QUIET_SECONDS):
                while await reader.read(1 << 20):
                    pass
        writer.close()


async def test_the_end_does_not_wait_for_those_who_watch(shown: Shown) -> None:
    clock = asyncio.get_running_loop().time
    async with ClientSession() as session:
        async with serving(shown) as port:
            streams = [await session.get(f"http://127.0.0.1:{port}/api/stream") for _ in range(MOST_STREAMS)]
            for stream in streams:
                await heard(stream)
            began = clock()
        assert clock() - began < EVERY_SECONDS
        assert [await heard(stream) for stream in streams] == [{}] * MOST_STREAMS


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/static/page.js", "/static/icon.svg", "/api/status"])
async def test_a_browser_may_run_and_ask_for_nothing_but_ours(session: ClientSession, path: str) -> None:
    async with session.get(path) as answer:
        assert answer.status == HTTPStatus.OK
        rules = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
        assert rules.pop("default-src") == "'none'"
        assert set(rules.values()) <= {"'self'", "'none'"}
        assert {"script-src", "style-src", "connect-src", "base-uri", "form-action", "frame-ancestors"} <= {*rules}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_has_no_script_or_style_of_its_own_and_all_addresses_are_relative(
    session: ClientSession,
) -> None:
    async with session.get("/") as answer:
        page = await answer.text()
    assert page.startswith("<!doctype html>\n<html")
    assert re.findall(r"<script[^>]*>[^<]*</script>", page) == ['<script src="static/page.js" defer=""></script>']
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert all(not re.match(r"/|[a-z]+:", address) for address in re.findall(r'(?:href|src)="([^"]*)"', page))
