"""The Copper double as a Python object: accounts, faults, the monitor, start and stop.

Used in-process by tests (`async with CopperDouble(...) as copper`), by the demo, and by `copper-bridge sandbox copper`
through `run_copper`. `server` turns HTTP into calls on it, `control` does the same for the control interface.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from random import Random
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from bridge.sandbox.copper import oauth, server
from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.faults import Fault, Faults
from bridge.sandbox.copper.knobs import DoubleAccount, Knobs
from bridge.sandbox.copper.limits import MINUTE, Call, most_in_any
from bridge.sandbox.copper.scenario import people_at_work
from bridge.sandbox.copper.store import Effect

OAUTH_CLIENTS: Mapping[str, str] = {"sandbox-client": "sandbox-secret"}


class Clock:
    """Unix seconds by `source`, moved by what tests shift it."""

    def __init__(self, source: Callable[[], float]) -> None:
        self.source = source
        self.shifted = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.source() + self.shifted


class CopperDouble:
    """A Copper for tests and demos, over real HTTP.

    Args:
        accounts: accounts to begin with; more can be added while it runs.
        knobs: how nasty it is; the object may be changed while it runs.
        seed: of every random choice.
        host: address to listen on.
        port: 0 takes a free one.
        clock: Unix seconds; what stamps, lags and limits go by.
        oauth_clients: client ids with their secrets, for the OAuth endpoints.
    """

    def __init__(
        self,
        accounts: Iterable[DoubleAccount] = (),
        *,
        knobs: Knobs | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        oauth_clients: Mapping[str, str] = OAUTH_CLIENTS,
    ) -> None:
        self.knobs = knobs or Knobs()
        self.clock = Clock(clock)
        self.accounts: dict[str, Account] = {}
        self.faults: Faults = Faults()
        self.calls: list[Call] = []
        self.bearers: dict[str, Account] = {}
        """Bearer token to the account that admitted it last."""
        self.oauth = oauth.Grants(dict(oauth_clients), Random(seed))
        self.closing = asyncio.Event()
        self.background: set[asyncio.Task[None]] = set()
        self._seed, self._host, self._port = seed, host, port
        self._people: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        for config in accounts:
            self.add_account(config)

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(server.application(self), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        for account in self.accounts.values():
            self._start(account.webhooks.run(self._session))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        for task in [*self.background, *self._people.values()]:
            task.cancel()
        await asyncio.gather(*self.background, *self._people.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None:
            raise RuntimeError("not started")
        return int(self._runner.addresses[0][1])

    @property
    def url(self) -> str:
        """Where it is; the OAuth endpoints and the control interface lie below."""
        return f"http://{self._host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a Copper client takes for `https://api.copper.com/developer_api/v1`."""
        return f"{self.url}{server.PREFIX}"

    def add_account(self, config: DoubleAccount) -> Account:
        """One more account."""
        account = Account(config, self.knobs, self.clock, Random(f"{self._seed}/{config.name}"))
        self.accounts[config.name] = account
        if self._session is not None:
            self._start(account.webhooks.run(self._session))
        return account

    def account(self, name: str) -> Account:
        """The account of that name."""
        return self.accounts[name]

    def fault(self, *faults: Fault) -> None:
        """Script what goes wrong next."""
        self.faults.up.extend(faults)

    def clear_faults(self) -> None:
        """Let all go well again."""
        self.faults.up.clear()

    def set_knobs(self, **values: Any) -> dict[str, Any]:
        """Turn knobs by name; gives all as they stand.

        Raises:
            ValueError: there is no such knob.
        """
        strange = values.keys() - {knob.name for knob in fields(self.knobs)}
        if strange:
            raise ValueError(f"no such knob: {', '.join(sorted(strange))}")
        for name, value in values.items():
            setattr(self.knobs, name, tuple(value) if isinstance(value, list) else value)
        return asdict(self.knobs)

    def shift_clock(self, seconds: float) -> float:
        """Move the double's clock; gives what it shows now."""
        self.clock.shifted += seconds
        for account in self.accounts.values():
            account.webhooks.wake()
        return self.clock()

    def people(self, name: str, *, every: float = 1.0) -> None:
        """Let people work in an account until `rest`: seeded creates, edits and deletes, one every so many seconds."""
        self.rest(name)
        work = people_at_work(self.account(name), Random(f"{self._seed}/{name}/people"), every=every)
        self._people[name] = asyncio.create_task(work, name=f"people of {name}")

    def rest(self, name: str) -> None:
        """Stop what `people` began."""
        if task := self._people.pop(name, None):
            task.cancel()

    def max_calls_in_any_minute(self, name: str) -> int:
        """The most calls an account's credentials made within any 60 s, refused ones counted."""
        return most_in_any(MINUTE, (call.at for call in self.calls if call.account == name))

    def effects(self, name: str) -> list[Effect]:
        """Everything that became true of an account, in order."""
        return self.account(name).effects

    async def notified(self) -> None:
        """Wait until no notification is queued or on its way."""
        for account in self.accounts.values():
            await account.webhooks.quiet()

    def later(self, work: Any) -> None:
        """Run a coroutine beside the calls; it ends with the double."""
        self._start(work)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.background.add(task)
        task.add_done_callback(self.background.discard)


async def run_copper(
    host: str, port: int, accounts: Mapping[str, DoubleAccount], *, seed: int, people: bool, stop: asyncio.Event
) -> None:
    """Serve until `stop`, with people at work in every account if wanted; what `copper-bridge sandbox copper` runs."""
    async with CopperDouble(accounts.values(), seed=seed, host=host, port=port) as copper:
        for name in accounts if people else ():
            copper.people(name)
        await stop.wait()
