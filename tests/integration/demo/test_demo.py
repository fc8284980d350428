"""`copper-bridge demo` as a process of its own: a smoke test whose exit code can be believed, and a clean end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

PATIENCE_S = 150


@asynccontextmanager
async def demo(*arguments: str, environ: dict[str, str] | None = None) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The running command; killed when the block is left before its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | (environ or {}),
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def shown(process: asyncio.subprocess.Process) -> tuple[str, int]:
    """All that it says from now on, and its exit code."""
    output, _ = await process.communicate()
    return output.decode(), await process.wait()


def lines(output: str, *words: str) -> Sequence[str]:
    return [line for line in output.splitlines() if all(word in line for word in words)]


async def test_the_smoke_test_sees_every_listed_trigger_and_action_and_what_went_wrong(bootstrap_servers: str) -> None:
    async with demo("--exit-after", "60s", "--kafka", bootstrap_servers) as process:
        output, code = await shown(process)
    assert code == 0, output
    assert "twelve of twelve triggers, twenty of twenty actions seen" in output
    assert lines(output, "answers 429", "injected")
    assert lines(output, "reply", "lead.update succeeded", "attempt 2")
    assert lines(output, "answers 502", "injected")
    assert lines(output, "reply", "opportunity.update succeeded", "in spite of the 502")
    assert lines(output, "reply", "company.create failed invalid", 'did you mean "name"?')
    assert lines(output, "buried", "company.commands-dlt")
    assert lines(output, "reply", "(stored answer)")
    assert lines(output, "comes a second time", "injected")
    assert lines(output, "drained in")
    assert "\x1b" not in output
    assert "Traceback" not in output


async def test_a_smoke_test_that_ends_too_early_fails_and_names_what_it_has_not_seen(bootstrap_servers: str) -> None:
    async with demo("--exit-after", "100ms", "--kafka", bootstrap_servers) as process:
        output, code = await shown(process)
    assert code == 1
    (told,) = lines(output, "of twelve triggers", "of twenty actions seen; not seen:")
    assert "event lead.upserted" in told
    assert "reply person.get-by-email" in told


async def test_asked_to_stop_it_drains_and_says_so(bootstrap_servers: str) -> None:
    async with demo("--kafka", bootstrap_servers) as process:
        assert process.stdout is not None
        while b"event" not in (line := await process.stdout.readline()):
            assert line, "it ended before anything happened"
        process.send_signal(signal.SIGINT)
        output, code = await shown(process)
    assert code == 0, output
    assert "draining ..." in output
    assert "nothing is in flight, everything is committed" in output


async def test_without_anything_that_could_run_a_kafka_it_says_in_one_line_what_to_install(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    async with demo(environ=nothing) as process:
        output, code = await shown(process)
    assert code == 1
    assert len(lines(output, "install")) == 1
    assert "Traceback" not in output


async def test_a_kafka_that_does_not_answer_is_told_at_once() -> None:
    async with demo("--kafka", "127.0.0.1:1") as process:
        output, code = await shown(process)
    assert code == 5
    assert lines(output, "no Kafka answers at 127.0.0.1:1")
    assert "Traceback" not in output
