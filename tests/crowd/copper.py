"""A Copper double with a crowd of accounts, as a test sees it that has started it: `crowded`."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

START_S = 120.0
ANSWER_BYTES = 64 * 1024 * 1024


def account_name(number: int) -> str:
    return f"customer-{number:04}"


def token_of(account: str) -> str:
    return f"token-of-{account}"


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody did to a record. `mark` is in this version of it and in no other; `at` is Unix seconds."""

    account: str
    entity: str
    id: int
    mark: str
    at: float


@dataclass(frozen=True, slots=True)
class Polls:
    """How many polls followed another one, and how many seconds each began later than its interval said."""

    count: int
    late: list[float]

    def percentile(self, percent: int) -> float:
        return quantiles(self.late, n=100)[percent - 1]


@dataclass
class Crowded:
    """A running one."""

    base_url: str
    process: asyncio.subprocess.Process

    async def edit(self, per_second: float, seconds: float) -> None:
        """Let people begin to edit records."""
        await self._ask("edit", per_second=per_second, seconds=seconds)

    async def edits(self) -> list[Edit]:
        """All that they did."""
        return [Edit(*row) for row in await self._ask("edits")]

    async def unread(self) -> int:
        """How many edits no poll can have seen and published yet."""
        return int(await self._ask("unread"))

    async def calls(self) -> int:
        """How many there were."""
        return int(await self._ask("calls"))

    async def most_in_any_minute(self) -> int:
        """Calls of any account in any 60 s."""
        return int(await self._ask("most_in_any_minute"))

    async def refused(self) -> int:
        """Calls answered 429."""
        return int(await self._ask("refused"))

    async def polls(self, since: int, every: float) -> Polls:
        """How punctual they were after so many calls."""
        return Polls(**await self._ask("polls", since=since, every=every))

    async def _ask(self, what: str, **about: Any) -> Any:
        given, told = self.process.stdin, self.process.stdout
        assert given is not None
        assert told is not None
        given.write(json.dumps({"do": what, **about}).encode() + b"\n")
        return json.loads(await told.readline())


@asynccontextmanager
async def crowded(accounts: int, records: int, seed: int) -> AsyncGenerator[Crowded]:
    """So many accounts with so many records of each entity, while the block lasts."""
    command = (sys.executable, "-m", "tests.crowd.double", *map(str, (accounts, records, seed)))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=ANSWER_BYTES
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            ready = json.loads(await process.stdout.readline())
        yield Crowded(ready["base_url"], process)
    finally:
        process.kill()
        await process.wait()
