"""Bridge processes that can be killed, paused and stopped: real ones, `python -m bridge run -c …`."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

GRACE_S = 20.0
"""What a stop may take."""


@dataclass
class Replica:
    """One bridge process, dead or alive."""

    name: str
    directory: Path
    settings: Mapping[str, Any]
    environ: Mapping[str, str]
    ports: tuple[int, int]
    process: asyncio.subprocess.Process | None = None
    paused: bool = False
    written: int = 0
    """Bytes of the log when the process was started."""

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    async def start(self) -> None:
        public, internal = self.ports
        own = {
            "server": {"public": _loopback(public), "internal": _loopback(internal)},
            "state": {"dir": str(self.directory / self.name)},
        }
        config = self.directory / f"{self.name}.yaml"
        config.write_text(json.dumps({**self.settings, **own}))
        with self.log.open("ab") as log:
            self.written = log.tell()
            command = (sys.executable, "-m", "bridge", "run", "-c", str(config))
            self.process = await asyncio.create_subprocess_exec(*command, env=dict(self.environ), stderr=log)

    @property
    def running(self) -> asyncio.subprocess.Process:
        assert self.process is not None
        assert self.process.returncode is None, f"{self.name} ended by itself: {self.tail()}"
        return self.process

    async def kill(self) -> None:
        """SIGKILL, the power cut."""
        process = self.running
        process.kill()
        await process.wait()

    def pause(self) -> None:
        """SIGSTOP: alive, and deaf."""
        self.running.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """SIGCONT."""
        self.running.send_signal(signal.SIGCONT)
        self.paused = False

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code and the seconds it took."""
        await self._spoken()
        process, began = self.running, time.monotonic()
        process.terminate()
        async with asyncio.timeout(GRACE_S + 20):
            code = await process.wait()
        return code, time.monotonic() - began

    async def _spoken(self) -> None:
        """Before its first word it may not be more than an interpreter, which dies of a signal."""
        async with asyncio.timeout(GRACE_S):
            while self.running.pid and self.log.stat().st_size == self.written:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    async def discard(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def open_shards(self, session: aiohttp.ClientSession) -> list[int] | None:
        """The shards it works on; None when it does not answer or is not ready."""
        assert self.running.pid
        try:
            async with session.get(f"http://127.0.0.1:{self.ports[1]}/api/status") as answer:
                status = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return None
        return list(status["shards"]["open"]) if status["ready"] else None

    def lines(self) -> list[dict[str, Any]]:
        """Its log; a line that a kill cut in two is left out."""
        found = []
        for line in self.log.read_text().splitlines() if self.log.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"event": "not a log line", "text": line})
        return found

    def tail(self) -> str:
        return self.log.read_text()[-2000:] if self.log.exists() else "no log"


def _loopback(port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port}
