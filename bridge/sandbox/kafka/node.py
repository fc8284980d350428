"""One Kafka node as a child process: its files, its start, its end. Called by `bridge.sandbox.kafka.local`.

Knows the JVM and signals; which nodes make a cluster is not its business.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.sandbox.kafka.answering import brokers
from bridge.sandbox.kafka.properties import CLUSTER_ID, as_text

_JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # seconds of life do not repay the optimising compiler
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_READY_WITHIN_S = 120.0  # it takes 3 s; a machine may be busy with much else


class KafkaDied(Exception):
    """A node ended or never answered; the text holds the end of its log."""

    def __init__(self, number: int, log: str) -> None:
        old_java = "UnsupportedClassVersionError" in log
        what = "it needs Java 17 or newer, and the `java` found is older" if old_java else f"the end of its log:\n{log}"
        super().__init__(f"Kafka node {number} did not come up: {what}")
        self.port_taken = "Address already in use" in log


class Node:
    """A broker and controller in one JVM. `number` counts from 1, `address` is where clients reach it."""

    def __init__(
        self, number: int, address: str, home: Path, java: str, jars: Path, further: Sequence[str] = ()
    ) -> None:
        """`further` are arguments of the JVM beside our own."""
        self.number = number
        self.address = address
        self._properties = home / f"node-{number}.properties"
        self._log = home / f"node-{number}.log"
        self._command = (java, *_JVM, *further, "-cp", f"{jars}/*")
        self._process: asyncio.subprocess.Process | None = None

    async def format(self, properties: Mapping[str, str]) -> None:
        """Write the configuration and lay out the empty data directory."""
        self._properties.write_text(as_text(properties))
        await self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties))
        if await self._alive().wait() != 0:
            raise KafkaDied(self.number, self._tail())

    async def start(self) -> None:
        """Start the process; `ready` says when it answers."""
        await self._run("kafka.Kafka", str(self._properties))

    async def ready(self, cluster: int) -> None:
        """Return when this node answers and knows of `cluster` brokers; raises `KafkaDied` when that cannot be."""
        process = self._alive()
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while await brokers(self.address) < cluster:
                    if process.returncode is not None:
                        raise KafkaDied(self.number, self._tail())
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise KafkaDied(self.number, self._tail()) from None

    async def kill(self) -> None:
        """End the process as a power cut would (SIGKILL) and wait until it is gone. A dead node is left as it is."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def pause(self) -> None:
        """Stop the process where it stands (SIGSTOP): connections stay open, nothing answers."""
        self._alive().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._alive().send_signal(signal.SIGCONT)

    def _alive(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"Kafka node {self.number} was never started")
        return self._process

    async def _run(self, main: str, *arguments: str) -> None:
        leash = (sys.executable, "-ISE", str(Path(__file__).with_name("leash.py")), str(os.getpid()))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leash,
                *self._command,
                main,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, who may still want the broker to drain
            )

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]
