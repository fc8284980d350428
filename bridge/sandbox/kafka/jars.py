"""Kafka's jars, resolved by Maven from the pinned `pom.xml` beside this module, once per user and version.

Called by `bridge.sandbox.kafka.local`. They lie in the user's cache directory, so a checkout stays clean and a second
one needs no network. Knows nothing of brokers.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

WHAT_TO_INSTALL = (
    "No Kafka to run: install Java 17 or newer and Maven (Debian, Ubuntu: `apt install openjdk-17-jre-headless maven`; "
    "macOS: `brew install openjdk maven`), or start a Docker engine, or give the address of a broker."
)


class ToolMissing(Exception):
    """Java or Maven is not there; the text says what to install, in one line."""


class JarsUnresolved(Exception):
    """Maven ended with an error; the text is the end of its own words."""


def java(environ: Mapping[str, str] = os.environ) -> str:
    """The `java` to run: `JAVA_HOME`'s, else the one on the path. Raises `ToolMissing`."""
    home = environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else environ.get("PATH", os.defpath))
    if found is None:
        raise ToolMissing(WHAT_TO_INSTALL)
    return found


async def jars(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory that holds Kafka's jars (43 MB, resolved in seconds the first time).

    Safe when several processes ask at once: one resolves, the others wait; a half-filled directory is never seen.
    """
    pom = resources.files(__package__).joinpath("pom.xml").read_bytes()
    lib = _cache(environ) / f"kafka-{hashlib.sha256(pom).hexdigest()[:12]}"
    if lib.is_dir():
        return lib
    maven = shutil.which("mvn", path=environ.get("PATH", os.defpath))
    if maven is None:
        raise ToolMissing(WHAT_TO_INSTALL)
    lib.parent.mkdir(parents=True, exist_ok=True)
    async with _alone(lib.with_suffix(".lock")):
        if not lib.is_dir():
            await _resolve(maven, pom, lib)
    return lib


def _cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "copper-bridge"


@asynccontextmanager
async def _alone(lock: Path) -> AsyncGenerator[None]:
    with lock.open("w") as file:
        while not _locked(file.fileno()):  # noqa: ASYNC110 - the system's lock; waiting in a thread cannot be cancelled
            await asyncio.sleep(0.1)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _resolve(maven: str, pom: bytes, lib: Path) -> None:
    with tempfile.TemporaryDirectory(dir=lib.parent, prefix="resolving-") as work:
        here = Path(work)
        (here / "pom.xml").write_bytes(pom)
        goal = ("-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
        process = await asyncio.create_subprocess_exec(
            maven,
            *goal,
            cwd=here,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            words, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise JarsUnresolved("Maven could not resolve Kafka's jars:\n" + words.decode(errors="replace")[-2000:])
        (here / "lib").rename(lib)
