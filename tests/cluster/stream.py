"""A stream of commands from inside the cluster: the program of the pod `stream`, mounted into the bridge's own image.

Prints a line of JSON for each command that has ended. At SIGUSR1 it sends no more, waits for what is under way, and
tells which command ids have another number of replies than one, as a reader of committed records sees them.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from collections import Counter
from typing import Any

from bridge.client import Copper, CopperCommands, NoReply
from bridge.client.listening import listen

SERVERS = os.environ["SERVERS"]
ACCOUNTS = os.environ["ACCOUNTS"].split(",")
EVERY_S = 1.0
"""From one command of an account to its next."""
PATIENCE_S = 180.0
SILENCE_S = 10.0


async def main() -> None:
    """Stream until the signal."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stop.set)
    async with CopperCommands(SERVERS, timeout=PATIENCE_S) as copper, asyncio.TaskGroup() as streams:
        for account in ACCOUNTS:
            streams.create_task(stream(copper.having(account=account), account, stop))
    say(replies=await replies())


async def stream(copper: Copper, account: str, stop: asyncio.Event) -> None:
    """One command after the other, whether or not the earlier ones are answered."""
    async with asyncio.TaskGroup() as calls:
        for number in itertools.count():
            if stop.is_set():
                return
            calls.create_task(command(copper, account, f"{account}-{number}"))
            await asyncio.sleep(EVERY_S)


async def command(copper: Copper, account: str, name: str) -> None:
    """Create a company of that name, by a command of that id."""
    sent = time.time()
    try:
        status = str((await copper.call("company", "create", command_id=name, data={"name": name})).status)
    except NoReply:
        status = "none"
    say(id=name, account=account, sent=sent, ended=time.time(), status=status)


async def replies() -> Counter[str]:
    """How many replies each command id has, read until there is silence."""
    counted: Counter[str] = Counter()
    records = listen(SERVERS, ["copper.company.replies"], since=0.0, ready=lambda _: None)
    async with contextlib.aclosing(records):
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(SILENCE_S):
                    record = await anext(records)
                counted[(record.header("ce_id") or b"").decode().removesuffix(":reply")] += 1
    return counted


def say(**words: Any) -> None:
    """One line, at once."""
    print(json.dumps(words), flush=True)


asyncio.run(main())
