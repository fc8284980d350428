"""The start of a real process when there is no Kafka yet."""

import asyncio
import json
import os
import sys
from pathlib import Path

SETTINGS = {
    "BRIDGE_ACCOUNTS__ACME__USER_EMAIL": "ops@acme.example",
    "BRIDGE_ACCOUNTS__ACME__API_KEY": "acme-key",
    "BRIDGE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "BRIDGE_SERVER__PUBLIC__PORT": "0",
    "BRIDGE_SERVER__INTERNAL__PORT": "0",
}


async def test_sigterm_ends_a_process_that_waits_for_kafka_cleanly(tmp_path: Path) -> None:
    environ = {**os.environ, **SETTINGS, "BRIDGE_STATE__DIR": str(tmp_path / "state")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "run", env=environ, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while json.loads(await process.stderr.readline())["event"] != "kafka.unreachable":
                pass
            process.terminate()
            last = (await process.stderr.read()).splitlines()[-1]
            assert await process.wait() == 0
        assert json.loads(last)["event"] == "bridge.stopped"
        assert json.loads(last)["clean"] is True
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
