"""Kafka's jars are resolved once, by one process at a time, and never half. Maven is a script of four lines here."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.sandbox.kafka.jars import JarsUnresolved, ToolMissing, jars, java

RESOLVES = "#!/bin/sh\necho run >>$LOG\n/bin/mkdir lib\n/bin/sleep 0.2\necho jar >lib/kafka.jar\n"
FAILS = "#!/bin/sh\n/bin/mkdir lib\necho 'no such artefact'\nexit 1\n"


def tool(tmp_path: Path, name: str, script: str) -> dict[str, str]:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / name).write_text(script.replace("$LOG", str(tmp_path / "log")))
    (folder / name).chmod(0o755)
    return {"PATH": str(folder), "XDG_CACHE_HOME": str(tmp_path / "cache")}


async def test_several_at_once_resolve_once_and_all_see_the_whole(tmp_path: Path) -> None:
    environ = tool(tmp_path, "mvn", RESOLVES)

    async def resolve() -> str:
        return ((await jars(environ)) / "kafka.jar").read_text()

    assert await asyncio.gather(*(resolve() for _ in range(3))) == ["jar\n"] * 3
    assert (tmp_path / "log").read_text() == "run\n"


async def test_what_was_resolved_needs_no_maven_any_more(tmp_path: Path) -> None:
    environ = tool(tmp_path, "mvn", RESOLVES)
    first = await jars(environ)
    assert await jars({"PATH": "", "XDG_CACHE_HOME": environ["XDG_CACHE_HOME"]}) == first


async def test_a_failed_resolution_tells_mavens_words_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = tool(tmp_path, "mvn", FAILS)
    with pytest.raises(JarsUnresolved, match="no such artefact"):
        await jars(environ)
    assert [path.suffix for path in (tmp_path / "cache" / "copper-bridge").iterdir()] == [".lock"]


async def test_a_cancelled_resolution_ends_maven_and_the_next_one_works(tmp_path: Path) -> None:
    environ = tool(tmp_path, "mvn", RESOLVES)
    first = asyncio.create_task(jars(environ))
    while not (tmp_path / "log").exists():  # noqa: ASYNC110 - another process's file
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert ((await jars(environ)) / "kafka.jar").read_text() == "jar\n"


@pytest.mark.parametrize("environ", [{"PATH": ""}, {"PATH": "/bin:/usr/bin", "JAVA_HOME": "/nonexistent"}])
def test_without_java_one_line_says_what_to_install(environ: Mapping[str, str]) -> None:
    with pytest.raises(ToolMissing, match=r"^No Kafka to run: install Java 17 or newer and Maven [^\n]*$"):
        java(environ)


async def test_without_maven_the_same_line(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing):
        await jars({"PATH": "", "XDG_CACHE_HOME": str(tmp_path)})
