import asyncio
import time

import pytest


async def test_waiting_takes_no_time_and_exactly_as_long_as_was_asked_for() -> None:
    really, began = time.monotonic(), asyncio.get_running_loop().time()
    await asyncio.gather(asyncio.sleep(86_400), asyncio.sleep(3600))
    assert asyncio.get_running_loop().time() - began == pytest.approx(86_400, abs=1e-6)
    assert time.monotonic() - really < 5


async def test_a_thread_is_waited_for_in_earnest() -> None:
    really = time.monotonic()
    await asyncio.to_thread(time.sleep, 0.05)
    assert time.monotonic() - really >= 0.05


async def test_what_comes_through_a_socket_is_there_before_the_clock_moves_on() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    began = asyncio.get_running_loop().time()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        async with asyncio.timeout(60):
            assert await reader.readline() == b"hello\n"
        writer.close()
    assert asyncio.get_running_loop().time() == began
